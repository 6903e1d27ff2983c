import { assertEquals, assertStringIncludes } from "@std/assert";
import { testPrompt } from "./_prompt.ts";

/** What is typed at one prompt, one after the other, and what the last prints. */
const SESSIONS: readonly (readonly [lines: readonly string[], printed: string])[] = [
  // Callbacks of lists.
  [["[0x7f1234567000, 0x1000].map((x) => walk(x).outcome)"], '[ "mapped", "notPresent" ]'],
  [["[0x7f1234567000, 0x1000].filter((x) => walk(x).outcome === 'mapped').length"], "1"],
  [["[1, 0x7f1234567000].find((x) => walk(x).outcome === 'mapped') === 0x7f1234567000"], "true"],
  [["[1, 0x7f1234567000].findIndex((x) => walk(x).outcome === 'mapped')"], "1"],
  [["[1, 0x7f1234567000].some((x) => walk(x).outcome === 'mapped')"], "true"],
  [["[1, 0x7f1234567000].every((x) => walk(x).outcome === 'mapped')"], "false"],
  [["[1, 2].flatMap((x) => [walk(x).outcome, x]).length"], "4"],
  [["[1, 2, 3].reduce((sum, x) => sum + walk(x).steps.length, 0) > 2"], "true"],
  [["[1, 2, 3].sort((a, b) => walk(b).address - walk(a).address)"], "[ 3, 2, 1 ]"],
  [["[3, 1].forEach((x) => { print(walk(x).outcome) })"], "notPresent\nnotPresent"],
  [["new Map([[1, 2]]).forEach((value) => print(walk(value).outcome))"], "notPresent"],
  [["Array.from([1, 2], (x) => walk(x).outcome).join()"], "notPresent,notPresent"],
  [["Object.keys(Object.groupBy([1, 2], (x) => walk(x).outcome))"], '[ "notPresent" ]'],
  [["'12'.replace(/\\d/g, (x) => walk(Number(x)).outcome[0])"], "nn"],
  [["[0x7f1234567000].map(translate)"], "[ 0x1_1008_f000 ]"],
  [["[1, 2].map((x) => x * 2)"], "[ 2, 4 ]"],
  [["[[1], [2]].map((row) => row.map((x) => walk(x).outcome).length)"], "[ 1, 1 ]"],
  // Functions of one's own.
  [["const f = (va) => walk(va).outcome", "f(0x7f1234567000)"], "mapped"],
  [["function f(va) {\n  const w = walk(va)\n  return w.outcome\n}", "f(1)"], "notPresent"],
  [["const o = { f(va) { return walk(va).outcome } }", "o.f(1)"], "notPresent"],
  [["class A { f(va) { return walk(va).outcome } }", "new A().f(1)"], "notPresent"],
  [[
    "class A { f() { return 'a' } }\nclass B extends A { f() { return super.f() + walk(1).outcome } }",
    "new B().f()",
  ], "anotPresent"],
  [["class A { f = () => walk(1).outcome }", "new A().f()"], "notPresent"],
  [
    ["const f = (va) => walk(va).outcome", "f.call(null, 1) + f.bind(null, 1)()"],
    "notPresentnotPresent",
  ],
  [["const f = async (va) => walk(va).outcome", "f(1).length"], "10"],
  [["const twice = (g) => (x) => g(g(x))", "twice((x) => walk(x).steps.length)(1) > 0"], "true"],
  [["const fs = []", "fs.push((x) => walk(x).outcome)", "fs[0](1)"], "notPresent"],
  [["const f = ({ va }, [n] = [1]) => walk(va).steps.length + n", "f({ va: 1 }) > 1"], "true"],
  // Anywhere a value is used.
  [["`${walk(1).outcome}: ${walk(1).steps.length > 0}`"], "notPresent: true"],
  [["const { outcome } = walk(1)", "outcome"], "notPresent"],
  [["walk(1).outcome === 'notPresent' ? 'yes' : 'no'"], "yes"],
  [["if (walk(1).outcome === 'mapped') print(1); else print(2)"], "2"],
  [["switch (walk(1).outcome) { case 'notPresent': print('right') }"], "right"],
  [["({ ...walk(1) }).outcome"], "notPresent"],
  [["walk(walk(1).address).outcome"], "notPresent"],
  [["const p = new Promise((done) => done(walk(1).outcome))", "p"], "notPresent"],
  [["const p = new Promise((done) => setTimeout(() => done({ a: 5 }), 1))", "p.a + 1"], "6"],
  [["walk(1)?.steps?.at(-1)?.name.length > 0"], "true"],
  [["const o = { get w() { return walk(1) } }", "o.w.outcome"], "notPresent"],
  [["for (const w of [walk(1), walk(2)]) print(w.outcome)"], "notPresent\nnotPresent"],
  [
    ["async function* g() { yield walk(1).outcome }", "for (const x of g()) print(x)"],
    "notPresent",
  ],
  [["async function* g() { yield 1; yield 2 }", "[...g()]"], "[ 1, 2 ]"],
  [
    ["Promise.all([walk(1), walk(2)]).then((all) => all.map((w) => w.outcome).join())"],
    "notPresent,notPresent",
  ],
  [["Promise.race([walk(1), new Promise(() => {})]).outcome"], "notPresent"],
];

for (const [lines, printed] of SESSIONS) {
  Deno.test(`no await is needed in ${lines.join(" ⏎ ")}`, async () => {
    await using prompt = testPrompt();
    for (const line of lines.slice(0, -1)) await prompt.enter(line);
    assertEquals(await prompt.enter(lines.at(-1)!), `${printed}\n`);
  });
}

/** Where JavaScript itself calls, nothing can wait: the message says what does. */
const REFUSED: readonly (readonly [line: string, what: string])[] = [
  ["({ get outcome() { return walk(1).outcome } }).outcome", "walk(1)"],
  ["new (class { constructor(va) { this.outcome = walk(va).outcome } })(1)", "walk(va)"],
  ["[...(function* () { yield walk(1).outcome })()]", "walk(1)"],
  ["[1].values().map((x) => walk(x).outcome).toArray()", "walk(x)"],
  ["[1].values().map((x) => walk(x)).toArray()", "the callback"],
  ["JSON.stringify([1], (key, value) => key === '0' ? walk(value) : value)", "the callback"],
  ["`${{ toString: () => walk(1).outcome }}`", "walk(1)"],
];

for (const [line, what] of REFUSED) {
  Deno.test(`a message shows what works instead of ${line}`, async () => {
    await using prompt = testPrompt();
    const printed = await prompt.enter(line);
    assertStringIncludes(printed, "NeedsWaitingError");
    assertStringIncludes(printed, what);
    assertStringIncludes(printed, "const value = ");
  });
}

/** Bigints from the guest, and JavaScript's functions that know only numbers. */
const MIXED: readonly (readonly [line: string, printed: string])[] = [
  ["(0x7f1234567000 >> 39) & 0x1ff", "0xfe (254)"],
  ["0x7f1234567000 & ~0xfff", "0x7f12_3456_7000"],
  ["1 << 40", "1099511627776"],
  ["0x7f1234567000 + 0x1000", "0x7f12_3456_8000"],
  ["const va = 0x7f1234567000; va + 4096", "0x7f12_3456_8000"],
  ["[0x1000, 0x2000].map((x) => x + 1)", "[ 0x1001, 0x2001 ]"],
  ["~0xfff", "0xffff_ffff_ffff_f000"],
  ["-1 >>> 0", "0xffff_ffff_ffff_ffff"],
  ["Math.max(0xffffffff81000000, 1)", "0xffff_ffff_8100_0000"],
  ["Math.min(18446744071578845184, 1)", "1"],
  ["Math.floor(xp(0x5109b38)[0] / 4096) > 0", "true"],
  ["[1, 2, 3][walk(0x7f1234567001).address & 1]", "2"],
  ["'hello'.slice(walk(0x7f1234567001).address & 1)", "ello"],
  ["'ab'.repeat(walk(0x7f1234567002).address & 3)", "abab"],
  ["new Uint8Array(walk(0x7f1234567002).address & 3).length", "2"],
  ["const b = new Uint8Array(2); b[0] = walk(0x7f1234567012).address & 0xff; b[0]", "18"],
  ["translate(0x7f1234567000) === 0x11008f000", "true"],
  ["[translate(0x7f1234567000)].includes(0x11008f000)", "true"],
  ["[5, 0x11008f000].indexOf(translate(0x7f1234567000))", "1"],
  ["new Map([[0x11008f000, 'found']]).get(translate(0x7f1234567000))", "found"],
  ["new Set([0x11008f000, translate(0x7f1234567000)]).size", "2"],
  ["switch (translate(0x7f1234567000)) { case 0x11008f000: print('same') }", "same"],
  ["JSON.stringify({ at: translate(0x7f1234567000) })", '{"at":4563988480}'],
  ["JSON.parse('[18446744071578845184]')[0] === 0xffffffff81000000", "true"],
  ["Number('0xffffffff81000000') === 0xffffffff81000000", "true"],
  ["parseInt('ffffffff81000000', 16) === 0xffffffff81000000", "true"],
  ["let n = 9007199254740991; n++; n", "0x20_0000_0000_0000"],
  ["const o = { n: 1 }; o.n <<= 40; o.n", "1099511627776"],
  ["xp(0x5109b38, 2n).length", "2"],
  ["[10, 9, 1].sort((a, b) => translate(0x7f1234567000) * 0 + a - b)", "[ 1, 9, 10 ]"],
  ["for (let va = 0x1000; va < 0x3000; va += 0x1000) print(va)", "0x1000\n0x2000"],
  ["[0x1000].forEach((va) => print(va + 1, 10))", "0x1001\n10"],
  [
    "const page = (va) => { const p = va & ~0xfff; return p }; page(0x7f1234567123)",
    "0x7f12_3456_7000",
  ],
  ["let va = 0x1000; va = 10; va + 1", "0xb (11)"],
  ["5 / 2", "2.5"],
  ["'\\033[1m'.length", "4"],
];

for (const [line, printed] of MIXED) {
  Deno.test(`integers are exact in ${line}`, async () => {
    await using prompt = testPrompt();
    assertEquals(await prompt.enter(line), `${printed}\n`);
  });
}
