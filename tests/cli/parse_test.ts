/** Lengths and ranges as users type or paste them. */
import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError, parseRangeText, parseSize } from "../../src/cli/mod.ts";

Deno.test("parseSize() takes no letters for hexadecimal digits, but what info mem prints", () => {
  assertEquals(parseSize("0000000000001000"), 0x1000);
  assertEquals(parseSize("4096"), 4096);
  for (const text of ["16B", "1b", "12e", "beef0001"]) {
    assertThrows(() => parseSize(text), InvalidArgumentError, "Not a length");
  }
});

Deno.test("parseRangeText() takes the lines of info mem and /proc/PID/maps, whose end is outside", () => {
  for (
    const [text, start, lengthBytes] of [
      ["0000000000400000-0000000000401000", 0x400000n, 0x1000],
      ["7f1234567000-7f1234667000", 0x7f1234567000n, 0x10_0000],
      ["00400000-00452000", 0x400000n, 0x52000],
      ["0x400000-0x400fff", 0x400000n, 0x1000],
      ["0x400000-0x401000", 0x400000n, 0x1001],
      ["00400000+4K", 0x400000n, 0x1000],
    ] as const
  ) assertEquals(parseRangeText(text), { start, lengthBytes }, text);
  assertThrows(() => parseRangeText("00400000-00400000"), InvalidArgumentError, "ends before");
});
