import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { PLAIN } from "../../src/report/style.ts";
import { errorText } from "../../src/repl/show/error_text.ts";
import { Evaluator } from "../../src/repl/evaluate/evaluator.ts";

const never = new AbortController().signal;

function evaluator(): Evaluator {
  return new Evaluator({
    walk: (address: unknown) => Promise.resolve({ outcome: "mapped", address }),
    xp: (_address: unknown, count = 1) => Promise.resolve(Array(count).fill(7n)),
    hex: (value: bigint | number) => `0x${BigInt(value).toString(16)}`,
    forever: () => new Promise(() => {}),
  });
}

async function run(on: Evaluator, source: string, signal = never): Promise<unknown> {
  const parsed = on.parse(source);
  if (parsed.kind === "incomplete") throw new Error(`Incomplete: ${source}`);
  return await on.run(parsed, signal);
}

/** Lines run one after the other at one prompt, and the value of the last. */
const SESSIONS: readonly (readonly [lines: readonly string[], value: unknown])[] = [
  // Declarations persist and may be repeated.
  [["const a = 1", "const a = 2, b = a + 1", "[a, b]"], [2, 3]],
  [["const a = 1", "{ const a = 2 }", "a"], 1],
  [["let u", "u"], undefined],
  [["const { a, b: [c] = [9], ...d } = { a: 1, e: 2 }", "[a, c, d]"], [1, 9, { e: 2 }]],
  [["const [a, , ...b] = [1, 2, 3, 4]", "[a, b]"], [1, [3, 4]]],
  [["var i = 7; for (var i = 0; i < 3; i++) {}", "i"], 3],
  [["for (var { x } of [{ x: 1 }, { x: 2 }]);", "x"], 2],
  [["if (true) var late = 2", "late"], 2],
  [["x = 5", "x + 1"], 6],
  [["const n = f(); function f() { return 1 }", "n"], 1],
  [["function f(n) { return n ? f(n - 1) : 'end' }", "f(3)"], "end"],
  [["class K { static x = 1 }", "class L extends K {}", "L.x + L.name"], "1L"],
  [["const f = () => {}, K = class {}", "f.name + K.name"], "fK"],
  [
    ['import { join as j, default as d } from "node:path"', 'j("a", "b") === d.join("a", "b")'],
    true,
  ],
  [['import * as path from "node:path"', "typeof path.join"], "function"],
  [['const { hex } = await import("./src/core/address.ts")', "hex"], undefined],
  [["export const e = 1", "e"], 1],
  // A line that throws leaves what was there.
  [["const a = 1", "const a = missing", "a"], 1],
  [["const a = missing", "typeof a"], "undefined"],
  [["missing", "_err.name"], "ReferenceError"],
  [["1 + 1", "const x = 3", "_"], 2],
  // Globals may be shadowed, and come back.
  [["const walk = 1", "walk"], 1],
  [["walk = 1", "delete walk", "walk(1).outcome"], "mapped"],
  // Awaiting is done by the prompt.
  [["walk(1)"], { outcome: "mapped", address: 1 }],
  [["const w = walk(1)", "w.outcome"], "mapped"],
  [["const w = await walk(1)", "w.outcome"], "mapped"],
  [["let w", "w = walk(1)", "w.outcome"], "mapped"],
  [["walk(1).outcome.length"], 6],
  [["walk(1)?.outcome"], "mapped"],
  [["const u = undefined", "u?.walk().x.y"], undefined],
  [["xp(0, 3)[2] + xp(0)[0]"], 14n],
  [["hex(xp(0)[0])"], "0x7"],
  [["`${walk(1).outcome}`"], "mapped"],
  [["[1, 2].map(walk)"], [{ outcome: "mapped", address: 1 }, { outcome: "mapped", address: 2 }]],
  [["walk(1).then((w) => w.outcome)"], "mapped"],
  [["const all = []; for (const w of [walk(1), walk(2)]) all.push(w.address); all"], [1, 2]],
  [["async function* g() { yield 1; yield 2 }", "let n = 0; for (const x of g()) n += x; n"], 3],
  [["({ async m() { return (await walk(1)).outcome } }).m()"], "mapped"],
  // Literals past 2^53-1 are exact, smaller ones stay numbers.
  [["walk(0xffffffff81000000).address"], 0xffffffff81000000n],
  [["18446744071578845184"], 0xffffffff81000000n],
  [["0xffff_ffff_8100_0000"], 0xffffffff81000000n],
  [["-0xffffffff81000000"], -0xffffffff81000000n],
  [["1e30"], 1e30],
  [["0x7f1234567000 + 0x1000"], 0x7f1234568000],
  [["0xffffffff81000000 + 0x1000"], 0xffffffff81001000n],
  [["(0xffffffff81000000 >> 21) & 0x1ff /* + */ | 1"], 9n],
  [["const w = walk(0xffffffff81000000)", "w.address - 4096"], 0xffffffff80fff000n],
  [["let va = 0xffffffff81000000", "va += 0x1000", "hex(va)"], "0xffffffff81001000"],
  [["'a' + 1 + 2n"], "a12"],
  [["1n + 2n * 3"], 7n],
  // What looks like a block is an object if it can be one.
  [["{ a: 1 }"], { a: 1 }],
  [["{ let q = 5; q }"], undefined],
  [['"use strict"'], "use strict"],
  [["walk(\n1\n).outcome // trailing"], "mapped"],
  [["1;;"], 1],
];

for (const [lines, value] of SESSIONS) {
  Deno.test(`Evaluator runs ${lines.join(" ⏎ ")}`, async () => {
    const prompt = evaluator();
    let last: unknown;
    for (const line of lines) {
      last = await run(prompt, line).catch((error) => {
        if (line === lines.at(-1)) throw error;
      });
    }
    assertEquals(last, value);
  });
}

const THROWING: readonly (readonly [lines: readonly string[], name: string, message: string])[] = [
  [["const a = 1", "a = 2"], "TypeError", "Assignment to constant variable 'a'"],
  [["const a = (() => a)()"], "ReferenceError", "Cannot access 'a' before initialization"],
  [["missing"], "ReferenceError", "missing is not defined"],
  [["1n + 1.5"], "TypeError", "1.5 is not a whole number"],
  [["1n + 1e300"], "TypeError", "was rounded"],
  [["1 << 2 ** 30"], "RangeError", "more than a million bits"],
  [["return 1"], "SyntaxError", "'return' outside of function"],
  [["a b"], "SyntaxError", "Unexpected token"],
  [['"abc'], "SyntaxError", "Unterminated string constant"],
  [["export default 1"], "SyntaxError", "export is not supported at the prompt"],
];

for (const [lines, name, message] of THROWING) {
  Deno.test(`Evaluator refuses ${lines.join(" ⏎ ")}`, async () => {
    const prompt = evaluator();
    for (const line of lines.slice(0, -1)) await run(prompt, line);
    const error = await assertRejects(async () => await run(prompt, lines.at(-1)!), Error, message);
    assertEquals(error.name, name);
  });
}

Deno.test("Evaluator.parse() asks for more where a line goes on", () => {
  const prompt = evaluator();
  for (
    const open of [
      "if (a) {",
      "`abc",
      "foo(",
      "/* a",
      "[1,",
      "const x =",
      "({",
      "x =>",
      "class A {",
    ]
  ) assertEquals(prompt.parse(open).kind, "incomplete", open);
});

Deno.test("an error names the typed lines of the functions that it comes from", async () => {
  const prompt = evaluator();
  await run(prompt, "1\n\nfunction thrower() {\n  // not here\n\n  throw new Error('here')\n}");
  await run(prompt, "const caller = (f) => {\n  let n = 0\n  return f()\n}");
  const error = await assertRejects(async () => await run(prompt, "caller(thrower)"));
  assertStringIncludes(
    errorText(error, { style: PLAIN, colours: false }),
    "Error: here\n    at thrower (input 1, line 6)\n    at caller (input 2, line 3)",
  );
});

Deno.test("Evaluator ends a cancelled line that awaits something", async () => {
  const prompt = evaluator();
  const cancel = new AbortController();
  const running = run(prompt, "let n = 0; for (;;) { await 0; n++; hex(n) }", cancel.signal);
  setTimeout(() => cancel.abort(new Error("enough")), 5);
  await assertRejects(async () => await running, Error, "enough");
  const counted = await run(prompt, "n");
  assertEquals(await run(prompt, "n"), counted);
});

Deno.test("Evaluator leaves behind a promise that cannot be cancelled", async () => {
  const prompt = evaluator();
  const cancel = new AbortController();
  const running = run(prompt, "forever()", cancel.signal);
  cancel.abort(new Error("enough"));
  await assertRejects(async () => await running, Error, "enough");
  assertEquals(await run(prompt, "1 + 1"), 2);
});
