import { assertEquals, assertThrows } from "@std/assert";
import { addressNotation, formatAddress, parseAddress } from "../../src/core/address.ts";
import { canonicalize, isCanonical } from "../../src/core/canonical.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";

Deno.test("parseAddress() takes bigints, numbers, and text with grouped digits", () => {
  assertEquals(parseAddress(0xffff_ffff_8100_0000n), 0xffffffff81000000n);
  assertEquals(parseAddress(4096), 0x1000n);
  assertEquals(parseAddress(" 0xFFFF_FFFF_8100_0000 "), 0xffffffff81000000n);
  assertEquals(parseAddress("fffff801`12345678".replace(/^/, "0x")), 0xfffff80112345678n);
  assertEquals(parseAddress("4096"), 0x1000n);
});

Deno.test("parseAddress() reads digits as whoever printed them meant them", () => {
  for (
    const [text, address, notation] of [
      ["0000000000400000", 0x400000n, "leadingZeros"], // info mem, info tlb
      ["00400000", 0x400000n, "leadingZeros"], // /proc/PID/maps
      ["0777", 0x777n, "leadingZeros"],
      ["00", 0n, "leadingZeros"],
      ["0", 0n, "decimal"],
      ["7f1234567000", 0x7f1234567000n, "hexDigits"], // /proc/PID/maps
      ["ffffffff81000000", 0xffffffff81000000n, "hexDigits"], // /proc/kallsyms
      ["FFFF8000`00000010", 0xffff800000000010n, "hexDigits"], // WinDbg
      ["00007ff6`12340000", 0x7ff612340000n, "leadingZeros"],
      ["10000000`00000000", 0x1000000000000000n, "hexDigits"],
      ["deadbeef", 0xdeadbeefn, "hexDigits"],
      ["7f12_3456_7000", 0x7f1234567000n, "hexDigits"],
      ["400000", 400000n, "decimal"],
      ["1_000_000", 1_000_000n, "decimal"],
      ["0x10", 0x10n, "prefix"],
      [" 0X00ff ", 0xffn, "prefix"],
    ] as const
  ) assertEquals([parseAddress(text), addressNotation(text)], [address, notation], text);
  for (const text of ["", "x", "0x", "add", "face", "-1", "1.5", "12 34", "0xg", "_1", "1__2"]) {
    assertEquals(addressNotation(text), null, text);
    assertThrows(() => parseAddress(text), InvalidArgumentError, "Not an address");
  }
});

Deno.test("parseAddress() refuses a number that was rounded, and shows the fix", () => {
  const rounded = 0xffffffff81000001;
  assertThrows(() => parseAddress(rounded), InvalidArgumentError, "0xffffffff81000000n");
});

Deno.test("parseAddress() refuses what is no 64-bit address", () => {
  assertThrows(() => parseAddress(-1n), InvalidArgumentError, "64 bits");
  assertThrows(() => parseAddress(1n << 64n), InvalidArgumentError, "64 bits");
  assertThrows(() => parseAddress(1.5), InvalidArgumentError, "whole number");
  assertThrows(() => parseAddress("beef"), InvalidArgumentError, "0xbeef");
  assertThrows(() => parseAddress("0x"), InvalidArgumentError, "Not an address");
  assertThrows(() => parseAddress("0x12__34"), InvalidArgumentError, "Not an address");
  assertThrows(
    () => parseAddress(null as unknown as bigint),
    InvalidArgumentError,
    "Not an address",
  );
});

Deno.test("formatAddress() pads to the digits asked for", () => {
  assertEquals(formatAddress(0n), "0x0");
  assertEquals(formatAddress(0x1000n, 16), "0x0000000000001000");
});

Deno.test("isCanonical() and canonicalize() agree at the edges of each width", () => {
  const edges = [
    [48, 0x0000_7fff_ffff_ffffn, 0x0000_8000_0000_0000n, 0xffff_8000_0000_0000n],
    [57, 0x00ff_ffff_ffff_ffffn, 0x0100_0000_0000_0000n, 0xff00_0000_0000_0000n],
  ] as const;
  for (const [bits, lastLow, firstHole, firstHigh] of edges) {
    assertEquals([lastLow, firstHole, firstHigh - 1n, firstHigh].map((a) => isCanonical(a, bits)), [
      true,
      false,
      false,
      true,
    ]);
    assertEquals(canonicalize(firstHole, bits), firstHigh);
  }
  assertEquals(isCanonical(0x1_0000_0000n, 32), false);
  assertEquals(canonicalize(0x1_0000_0fffn, 32), 0xfffn);
});
