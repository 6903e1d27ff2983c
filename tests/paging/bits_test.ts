import { assertEquals, assertThrows } from "@std/assert";
import { bits } from "../../src/arch/x86/bits.ts";
import { decodeNotPresent } from "../../src/arch/x86/not_present.ts";
import type { NotPresentContent } from "../../src/translate/entry.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";

function meanings(entry: bigint, options = {}): Record<string, string> {
  return Object.fromEntries(
    bits(entry, options).fields
      .filter(({ value, name }) => value !== 0n && name !== "ADDR")
      .map(({ name, linuxName, meaning }) => [linuxName ?? name, meaning]),
  );
}

Deno.test("bits() names what is set in an entry that a cleared VFIO page had", () => {
  assertEquals(meanings(0x8000_0000_3ff0_a863n), {
    _PAGE_PRESENT: "present",
    _PAGE_RW: "writable",
    _PAGE_ACCESSED: "accessed",
    _PAGE_DIRTY: "dirty",
    _PAGE_SOFT_DIRTY: "software: soft dirty",
    _PAGE_NX: "no execute",
  });
});

Deno.test("bits() covers every bit of an entry exactly once, in every mode and kind", () => {
  const cases = [
    { mode: "4-level", levels: [4, 3, 2, 1], width: 64 },
    { mode: "5-level", levels: [5, 4, 3, 2, 1], width: 64 },
    { mode: "pae", levels: [3, 2, 1], width: 64 },
    { mode: "32-bit", levels: [2, 1], width: 32 },
  ] as const;
  for (const { mode, levels, width } of cases) {
    for (const level of levels) {
      for (const entry of [1n, 0x81n]) {
        const { fields } = bits(entry, { level, mode });
        assertEquals(
          fields.reduce((next, field) => {
            assertEquals(field.low, next, `${mode} level ${level}`);
            return next + field.width;
          }, 0),
          width,
        );
      }
    }
  }
});

Deno.test("bits() reads PAT, protection key and address of a large page", () => {
  const reading = bits(0x8800_0000_4020_10e7n, { level: 2 });
  const value = (name: string) => reading.fields.find((field) => field.name === name)!.value;
  assertEquals(reading.kind, "page");
  assertEquals(value("PAT"), 1n);
  assertEquals(value("PK"), 1n);
  assertEquals(value("ADDR"), 0x4020_0000n);
});

Deno.test("bits() shows PSE-36's upper address bits at their place", () => {
  const reading = bits(0x0040_2087n, { level: 2, mode: "32-bit" });
  assertEquals(
    reading.fields.filter((field) => field.name === "ADDR").map((field) => field.value),
    [0x1_0000_0000n, 0x40_0000n],
  );
});

Deno.test("bits() calls bit 7 of a top entry reserved", () => {
  const field = bits(0x1081n, { level: 4 }).fields.find(({ low }) => low === 7)!;
  assertEquals([field.name, field.value], ["reserved", 1n]);
});

Deno.test("bits() refuses a level that the mode does not have, and an entry that is too wide", () => {
  assertThrows(() => bits(1n, { level: 4, mode: "pae" }), InvalidArgumentError, "levels 3 (PDPT)");
  assertThrows(() => bits(1n, { level: 1, mode: "none" }), InvalidArgumentError, "no tables");
  assertThrows(() => bits(1n << 40n, { mode: "32-bit" }), InvalidArgumentError, "32 bits");
});

Deno.test("decodeNotPresent() reads what Linux keeps: nothing, PROT_NONE, swap", () => {
  assertEquals(decodeNotPresent(0n, "4-level"), { kind: "empty" });
  // Seen in a 6.1 guest: PROT_NONE keeps its frame inverted, with bit 7 set too.
  assertEquals(decodeNotPresent(~0x3ff0_a000n & 0x000f_ffff_ffff_f000n | 0x9a0n, "5-level"), {
    kind: "protNone",
    frame: 0x3ff0_a000n,
  });
  assertEquals(decodeNotPresent(0x1234_5100n, "32-bit"), { kind: "protNone", frame: 0x1234_5000n });
  // Swap type 1, offset 5: type in bits 59-63, the offset inverted from bit 9.
  const swap = (1n << 59n) | ((~5n & ((1n << 50n) - 1n)) << 9n);
  assertEquals(decodeNotPresent(swap, "pae"), { kind: "swap", type: 1, offset: 5n });
  assertEquals(decodeNotPresent((5n << 9n) | (1n << 1n), "32-bit"), {
    kind: "swap",
    type: 1,
    offset: 5n,
  });
  assertEquals(decodeNotPresent(swap | 0b1010n, "4-level"), {
    kind: "swap",
    type: 1,
    offset: 5n,
    marks: ["soft-dirty", "exclusive"],
  });
});

Deno.test("decodeNotPresent() takes a large page's frame from the bits that Linux inverts", () => {
  // As seen in a guest of two NUMA nodes, Linux 6.1: 2 MiB at 0x5200000, marked for NUMA balancing.
  const raw = 0x000f_ffff_fac0_09e2n;
  assertEquals(decodeNotPresent(raw, "5-level", 2), { kind: "protNone", frame: 0x520_0000n });
  assertEquals(bits(raw, { level: 2 }).notPresent, { kind: "protNone", frame: 0x520_0000n });
  assertEquals(decodeNotPresent(0x0040_0182n, "32-bit", 2), {
    kind: "protNone",
    frame: 0x40_0000n,
  });
});

Deno.test("decodeNotPresent() tells markers and special entries from swap", () => {
  const entry = (type: bigint, offset: bigint) => type << 59n | (~offset & (1n << 50n) - 1n) << 9n;
  for (
    const [offset, markers] of [[1n, ["uffd-wp"]], [4n, ["guard"]], [6n, ["poisoned", "guard"]]]
  ) {
    assertEquals(
      decodeNotPresent(entry(31n, offset as bigint), "4-level"),
      { kind: "marker", markers } as NotPresentContent,
    );
  }
  // A migration entry keeps above the frame's number whether the page was young and dirty.
  assertEquals(decodeNotPresent(entry(28n, 3n << 34n | 0x1_2345n), "4-level"), {
    kind: "special",
    type: 28,
    frame: 0x1234_5000n,
  });
  assertEquals(decodeNotPresent(entry(22n, 1n), "4-level").kind, "swap");
  assertEquals(bits(entry(31n, 4n)).notPresent, { kind: "marker", markers: ["guard"] });
});
