import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  escapeForJson,
  escapeForString,
  escapeLines,
  escapeMessage,
  escapeText,
  hasUnsafe,
} from "../../src/core/escape.ts";
import { forbiddenIn, HOSTILE } from "../hostile_text/_hostile_text.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

const TEXTS: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom(...Array.from(HOSTILE), "\\", "n", "u", "x", "{", "1")).map((parts) =>
    parts.join("")
  ),
);

const CASES: readonly (readonly [text: string, escaped: string])[] = [
  ["bash", "bash"],
  ["é 漢字 Ω…→", "é 漢字 Ω…→"],
  ["\x1b[31m", "\\x1b[31m"],
  ["a\nb\rc\td", "a\\nb\\rc\\td"],
  ["\x00\x07\x7f\x85\x9b", "\\x00\\x07\\x7f\\x85\\x9b"],
  ["\u202egnp.exe", "\\u202egnp.exe"],
  ["a\u00a0\u3000b", "a\\xa0\\u3000b"],
  ["\ud800 \udc00\ud83d\ude00", "\\ud800 \\udc00\ud83d\ude00"],
  ["\u{e0041}", "\\u{e0041}"],
  // Only where it would be read as an escape is a backslash doubled.
  ["C:\\a", "C:\\a"],
  ["dev\\x2d", "dev\\\\x2d"],
  ["\\\x1b", "\\\\\\x1b"],
  ["\\\\", "\\\\\\"],
];

for (const [text, escaped] of CASES) {
  Deno.test(`escapeText() writes ${JSON.stringify(text)} as ${escaped}`, () => {
    assertEquals(escapeText(text), escaped);
  });
}

Deno.test("escaped text holds nothing that acts, and can be told apart from any other", () => {
  let count = 0;
  fc.assert(
    fc.property(TEXTS, (text) => {
      count++;
      const escaped = escapeText(text);
      assertEquals(forbiddenIn(escaped), null);
      assert(!escaped.includes("\n"));
      assertEquals(unescape(escaped), text);
      assertEquals(forbiddenIn(escapeLines(text)), null);
      assertEquals(escapeMessage(escapeMessage(text)), escapeMessage(text));
      assertEquals(hasUnsafe(escaped), false);
    }),
    { numRuns: 20_000 },
  );
  assertEquals(count, 20_000);
});

Deno.test("text in a string of JavaScript, and JSON, say what they said before", () => {
  fc.assert(
    fc.property(TEXTS, fc.constantFrom('"', "'"), (text, quote) => {
      const inString = escapeForString(text, quote);
      assertEquals(forbiddenIn(inString), null);
      assertEquals((0, eval)(`${quote}${inString}${quote}`), text);
      const json = escapeForJson(JSON.stringify({ [text]: [text] }, null, 1));
      assertEquals(forbiddenIn(json), null);
      assertEquals(JSON.parse(json), { [text]: [text] });
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("escaping costs next to nothing where there is nothing to escape, and little where there is", () => {
  const plain = "x".repeat(1 << 20);
  const hostile = "\x1b\\\u202e".repeat(1 << 18);
  const start = cpuTimeMs();
  escapeText(plain);
  escapeForJson(plain);
  escapeText(hostile);
  escapeLines("\t\x1b".repeat(1 << 15));
  assert(cpuTimeMs() - start < 30_000);
});

/** Reads an escaped text back, as its reader would. */
function unescape(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]+)\}|u([0-9a-f]{4})|([nrt\\]))/g,
    (_, ...[byte, long, unit, short]: (string | undefined)[]) => {
      const code = byte ?? long ?? unit;
      if (code !== undefined) return String.fromCodePoint(parseInt(code, 16));
      return { n: "\n", r: "\r", t: "\t", "\\": "\\" }[short!]!;
    },
  );
}
