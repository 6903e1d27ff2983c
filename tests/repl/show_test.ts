import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { COLOUR, PLAIN } from "../../src/report/style.ts";
import { errorText } from "../../src/repl/show/error_text.ts";
import { groupHex } from "../../src/repl/show/group_hex.ts";
import { showValue } from "../../src/repl/show/inspect.ts";
import { asRows } from "../../src/repl/show/rows.ts";
import { hexdumpText, wordsText } from "../../src/repl/show/memory_text.ts";
import { testPrompt } from "./_prompt.ts";

const plain = { style: PLAIN, colours: false };

const VALUES: readonly (readonly [value: unknown, text: string])[] = [
  [0xffffffff81000000n, "0xffff_ffff_8100_0000"],
  [-0x1000n, "-0x1000"],
  [0n, "0x0"],
  [42, "42"],
  ["two\nlines", "two\nlines"],
  ["\x1b[31m\u202e\x07\r\n\x9b2J\t|", "\\x1b[31m\\u202e\\x07\n\\x9b2J  |"],
  [["\u202e"], '[ "\\u202e" ]'],
  [{ "\u202e": Symbol("\x9b") }, '{ "\\u202e": Symbol("\\x9b") }'],
  [null, "null"],
  [[1n, "x"], '[ 0x1, "x" ]'],
  [[], "[]"],
  [{ at: 0x1000n, deep: { in: [2n] } }, "{ at: 0x1000, deep: { in: [ 0x2 ] } }"],
  [new Map([[1n, { z: 5n }]]), "Map(1) { 0x1 => { z: 0x5 } }"],
  [new Set([1n]), "Set(1) { 0x1 }"],
  [
    Object.create(null, { a: { value: 16n, enumerable: true } }),
    "[Object: null prototype] { a: 0x10 }",
  ],
  [new Uint8Array([1, 0x41]), `0x0  01 41${" ".repeat(43)}  |.A|`],
];

for (const [value, text] of VALUES) {
  Deno.test(`showValue() writes ${JSON.stringify(text)}`, () => {
    assertEquals(showValue(value, plain), text);
  });
}

Deno.test("showValue() runs no getter and ends with a circle", () => {
  let ran = 0;
  const circle: Record<string, unknown> = { a: 1n };
  circle.self = circle;
  Object.defineProperty(circle, "lazy", { enumerable: true, get: () => ran++ });
  assertStringIncludes(showValue(circle, plain), "self: [Circular");
  assertEquals(ran, 0);
});

Deno.test("showValue() paints on a terminal only", async () => {
  await using guest = await connect("sim:");
  const walk = await guest.walk(0x7f1241000000n);
  const painted = showValue(walk, { style: COLOUR, colours: true });
  // deno-lint-ignore no-control-regex
  const escapes = /\x1b\[\d+m/g;
  assertEquals(escapes.test(painted), true);
  assertEquals(painted.replaceAll(escapes, ""), showValue(walk, plain));
});

Deno.test("showValue() tells each way a walk can end", async () => {
  await using guest = await connect("sim:");
  const lastLine = async (address: bigint) =>
    showValue(await guest.walk(address), plain).split("\n").at(-1)!;
  assertEquals(
    await lastLine(0x7f3000000000n),
    "mapped to 0x2000_0000, 2 MiB page: user yes, write yes, execute no",
  );
  assertStringIncludes(await lastLine(0x100000000000n), "Page tables are private to each process");
  assertStringIncludes(await lastLine(0x7f2000005000n), "swapped out: type 1, offset 0x1234");
  assertStringIncludes(
    await lastLine(0x7f2000004000n),
    "PROT_NONE or marked for NUMA balancing, keeps frame 0x",
  );
  assertStringIncludes(await lastLine(0x7f6000000000n), "corrupt tables");
  assertStringIncludes(await lastLine(0x800000000000n), "not an address of 4-level paging");
});

Deno.test("groupHex() writes what can be typed back", () => {
  for (const value of [0n, 0xfn, 0x10000n, 0x7f1234567000n, 0xffffffffffffffffn]) {
    assertEquals(BigInt(groupHex(value).replaceAll("_", "")), value);
  }
  assertEquals(groupHex(0x12345, 8), "0x0001_2345");
});

Deno.test("hexdumpText() and wordsText() give each line its address", () => {
  const bytes = new Uint8Array(20).map((_, i) => 0x40 + i);
  assertEquals(
    hexdumpText(bytes, 0xfff8n, PLAIN).split("\n"),
    [
      "0x0_fff8  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|",
      `0x1_0008  50 51 52 53${" ".repeat(37)}  |PQRS|`,
    ],
  );
  assertEquals(
    wordsText([1n, 2n, 3n], { address: 0x1000n, wordBytes: 8 }, PLAIN).split("\n"),
    ["0x1000  0x0000_0000_0000_0001  0x0000_0000_0000_0002", "0x1010  0x0000_0000_0000_0003"],
  );
});

Deno.test("errorText() names typed functions, causes, and what is no error", () => {
  const error = new TypeError("bad", { cause: new RangeError("why") });
  error.stack =
    "TypeError: bad\n    at Proxy.check (repl:2, <anonymous>:3:4)\n    at file:///x.ts:1:1";
  assertEquals(
    errorText(error, plain),
    "TypeError: bad\n    at check (input 2, line 3)\ncaused by RangeError: why",
  );
  assertEquals(errorText(5n, plain), "Thrown: 0x5");
});

Deno.test("rows are a table, also those that are filtered or cut out, with a note on the rest", () => {
  const rows = Array.from({ length: 45 }, (_, i) => ({ n: i }));
  asRows(rows, {
    head: () => "head",
    line: ({ n }) => `row ${n}`,
    foot: (all) => `sum ${all.length}`,
  });
  const lines = (value: unknown) => showValue(value, plain).split("\n");
  const whole = lines(rows);
  assertEquals(whole.slice(0, 2), ["head", "row 0"]);
  assertEquals(whole.slice(40), [
    "row 39",
    "… 5 more of 45: _.slice(40) shows the next",
    "sum 45",
  ]);
  assertEquals(lines(rows.slice(40)).slice(0, 2), ["head", "row 40"]);
  assertEquals(lines(rows.filter(({ n }) => n === 7)), ["head", "row 7", "sum 1"]);
  assertEquals(lines(rows[3]), ["head", "row 3", "sum 1"]);
  assertEquals(showValue([rows[3], 1], plain), "[ { n: 3 }, 1 ]");
  assertEquals(showValue(asRows([], { line: () => "" }), plain), "none");
  assertEquals(showValue(asRows([], { line: () => "", foot: () => "0 found" }), plain), "0 found");
});

Deno.test("a long list of results is cut short", async () => {
  await using guest = await connect("sim:");
  const { steps } = await guest.walk(0x7f1234567000n);
  const many = Array.from({ length: 50 }, () => steps[0]!);
  const lines = showValue(many, plain).split("\n");
  assertEquals(lines.length, 41);
  assertEquals(lines.at(-1), "… 10 more of 50: _.slice(40) shows the next");
});

Deno.test("no Linux is looked for only to print", async () => {
  await using prompt = testPrompt();
  const session = await prompt.repl.guest.session();
  let asked = 0;
  session.linux = () => {
    asked++;
    return Promise.reject(new Error("no Linux"));
  };
  for (const input of ["0xffffffff81a17a0b", "cpus()", "regs(1)", "walk(0xffffffff81000000)"]) {
    assertStringIncludes(await prompt.enter(input), "0xffff_ffff_81");
  }
  assertEquals(asked, 0);
});

Deno.test("showValue() and errorText() let only line breaks and their own colours through", () => {
  const foreign = "\x1b[31m\x07\x9b\u202e\u2028\ud800";
  const values: unknown[] = [
    foreign,
    [foreign],
    { [foreign]: foreign },
    new Map([[foreign, Symbol(foreign)]]),
    new Error(foreign),
    { deep: [new TypeError(foreign, { cause: new Error(foreign) })] },
    Object.defineProperty(() => {}, "name", { value: foreign }),
    new (class {
      readonly [Symbol.toStringTag] = foreign;
    })(),
  ];
  const named = Object.assign(new Error(foreign), { name: foreign });
  for (const colours of [false, true]) {
    const options = { style: colours ? COLOUR : PLAIN, colours };
    const texts = [
      ...values.map((value) => showValue(value, options)),
      ...[named, foreign, new Error("x", { cause: named })].map((e) => errorText(e, options)),
    ];
    for (const text of texts) {
      // deno-lint-ignore no-control-regex -- the colours of the prompt's own
      const rest = text.replaceAll(/\x1b\[(?:1|2|22|3[1-9]|9\d|0)m/g, "");
      assertEquals(rest.match(/[^\n -~\ufffd]/gu), null, text);
      // Deno writes U+FFFD for half a pair. The name's own ESC [ 31 m is there to be read.
      assertStringIncludes(text, "\\x1b[31m");
    }
  }
});
