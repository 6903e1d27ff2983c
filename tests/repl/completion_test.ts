import { assert, assertEquals } from "@std/assert";
import { complete } from "../../src/repl/completion.ts";
import type { Helper } from "../../src/repl/helper.ts";
import { COMMAND_NAMES } from "../../src/repl/load.ts";
import { testPrompt } from "./_prompt.ts";

async function candidates(setup: readonly string[], text: string): Promise<readonly string[]> {
  await using prompt = testPrompt();
  for (const line of setup) await prompt.enter(line);
  return (await prompt.repl.complete(text, COMMAND_NAMES)).candidates;
}

const CASES: readonly (readonly [text: string, all: readonly string[], setup?: string[]])[] = [
  ["verifyR", ["verifyRange"]],
  ["1 + verifyR", ["verifyRange"]],
  ["print(verifyR", ["verifyRange"]],
  [".s", [".save"]],
  [".", [".exit", ".help", ".load", ".save"]],
  ["w.phys", ["physicalAddress"], ["const w = walk(0x7f1234567000)"]],
  ["w?.phys", ["physicalAddress"], ["const w = walk(0x7f1234567000)"]],
  ["w.steps[3].fr", ["frame"], ["const w = walk(0x7f1234567000)"]],
  ["_.steps[3].flags.wri", ["writable", "writeThrough"], ["walk(0x7f1234567000)"]],
  ["session.verifyR", ["verifyRange"], ["cpus()"]],
  ["session.memory.rea", ["read"], ["cpus()"]],
  ["pagewalk.parseAddr", ["parseAddress"]],
  ["'abc'.toUpp", []],
  ["text.toUpp", ["toUpperCase"], ["const text = 'abc'"]],
  ["Math.fro", ["fround"]],
  ['monitor("info reg', ["info registers"]],
  ["monitor('gva", ["gva2gpa"]],
  ['help("verifyR', ["verifyRange"]],
  ['print("verifyR', []],
  ['pid("', []],
  ["mappings({}).len", []],
  ["walk(1).outc", []],
  ["xp(1)", []],
  ["missing.x", []],
  ["`${verifyR", ["verifyRange"]],
  ["`verifyR", []],
  ["/* verifyR", []],
  ["/re", []],
];

for (const [text, all, setup = []] of CASES) {
  Deno.test(`completing ${text} offers ${all.join(", ") || "nothing"}`, async () => {
    assertEquals(await candidates(setup, text), all);
  });
}

Deno.test("completion runs no code", async () => {
  const setup = [
    "let ran = 0",
    "const o = { get g() { ran++; return { inner: 1 } }, plain: 1 }",
    "const p = new Proxy({}, { ownKeys() { ran++; return [] }, get() { ran++ }, " +
    "getOwnPropertyDescriptor() { ran++ }, getPrototypeOf() { ran++; return null } })",
  ];
  await using prompt = testPrompt();
  for (const line of setup) await prompt.enter(line);
  await prompt.enter("ran = 0");
  assertEquals((await prompt.repl.complete("o.", [])).candidates.toSorted(), ["g", "plain"]);
  for (const text of ["o.g.in", "p.", "p.x.y", "o.g.inner."]) {
    assertEquals((await prompt.repl.complete(text, [])).candidates, [], text);
  }
  assertEquals(await prompt.enter("ran"), "0\n");
});

Deno.test("completion offers what was declared, and no hidden names unasked", async () => {
  const all = await candidates(["const zebra = 1", "zeta = 2"], "ze");
  assertEquals(all, ["zebra", "zeta"]);
  const everything = await candidates(["1"], "");
  assert(!everything.some((name) => name.startsWith("_")));
  assertEquals(await candidates(["1"], "_er"), []);
  assertEquals(await candidates(["missing"], "_er"), ["_err"]);
});

Deno.test("the monitor's commands are asked for once a connection", async () => {
  await using prompt = testPrompt();
  const session = await prompt.repl.guest.session();
  let asked = 0;
  const { monitor } = session;
  const command = monitor.command.bind(monitor);
  monitor.command = (line, options) => {
    if (line === "help info") asked++;
    return command(line, options);
  };
  await prompt.repl.complete('monitor("info', []);
  await prompt.repl.complete('monitor("info s', []);
  assertEquals(asked, 1);
});

const NAMES = [
  'z"+Deno.exit())',
  "z'+Deno.exit())",
  "z\\",
  "z\n1+1",
  "z\x1b[31m",
  "z\u202e",
  "z\u2028",
  "z\ud800",
  "z\u{e0041}",
  "z${1}",
];

for (const quote of ['"', "'"]) {
  Deno.test(`completion writes any name as text between ${quote}, which is that name again`, async () => {
    await using prompt = testPrompt();
    const named: Helper = {
      ...prompt.repl.context.helpers[0]!,
      name: "named",
      complete: () => Promise.resolve(NAMES),
    };
    const sources = {
      scope: prompt.repl.evaluator.scope,
      context: { ...prompt.repl.context, helpers: [named] },
      commands: [],
    };
    const { candidates, replaces } = await complete(`named(${quote}z`, sources);
    assertEquals(replaces, "z");
    for (const text of candidates) assert(/^[ -~]*$/.test(text), text);
    const read: string[] = [];
    for (const text of candidates) {
      await prompt.enter(`read_ = ${quote}${text}${quote}`);
      read.push(prompt.repl.evaluator.scope.describe("read_")!.value as string);
    }
    assertEquals(read.toSorted(), NAMES.toSorted());
    // What was completed once may be completed on.
    const [first] = candidates;
    const again = await complete(`named(${quote}${first!.slice(0, -1)}`, sources);
    assert(again.candidates.includes(first!));
  });
}

Deno.test("completion offers no name that turns or hides text", async () => {
  assertEquals(await candidates(["const o = { ab: 1, ['a\u3164']: 2, ['a\u034f']: 3 }"], "o.a"), [
    "ab",
  ]);
});
