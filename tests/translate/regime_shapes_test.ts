/**
 * Shapes of tables that x86 has not, but other regimes have: a root for each half of the addresses and tags
 * above them (AArch64), pages that several entries map together (RISC-V's Svnapot, AMD-Vi's level 7), and
 * levels that are left out (AMD-Vi). Built on the toy architecture.
 */
import { assert, assertEquals } from "@std/assert";
import {
  aliases,
  mappings,
  type PageTableEntry,
  type Regime,
  verifyRange,
  walk,
} from "../../mod.ts";
import { fieldDecoder, type LevelDecoder, type LevelFormat } from "../../src/entries/extend.ts";
import { mappingLine } from "../../src/report/mod.ts";
import { ramRange, SparseMemory } from "../../src/testing/mod.ts";
import { TOY, toyRegime } from "./_toy_architecture.ts";

const { valid, page, user, write } = TOY;
/** Of a page: it is one of four that make 16 KiB. Of a table: the level below is left out. */
const SPECIAL = 64n;

function memoryWith(slots: readonly (readonly [table: bigint, index: number, raw: bigint])[]) {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x10_0000n)] });
  for (const [table, index, raw] of slots) memory.writeU32(table + BigInt(index * 4), raw);
  return memory;
}

/** The toy with entries that say more than their fields. */
function specialRegime(root: bigint): Regime {
  const plain = toyRegime(root);
  const levels = plain.spans[0]!.levels.map(({ format }): LevelDecoder => special(format));
  return { ...plain, spans: [{ ...plain.spans[0]!, levels }] };
}

function special(format: LevelFormat): LevelDecoder {
  const spare = { low: 6, width: 1, name: "Z", meaning: "special" };
  const withSpare = {
    ...format,
    page: [...format.page!, spare],
    ...format.table && { table: [...format.table, spare] },
  };
  return fieldDecoder(withSpare, {
    entryBytes: 4,
    physicalAddressBits: 32,
    presentBit: valid,
    rightFlags: ["user"],
    kindOf: (raw) => !(raw & valid) ? "notPresent" : raw & page || !format.table ? "page" : "table",
    refine(entry): PageTableEntry {
      if (!(entry.raw & SPECIAL)) return entry;
      if (entry.kind === "table") return { ...entry, skippedLevels: 1 };
      return { ...entry, frame: entry.frame & ~0x3fffn, pageShift: 14 };
    },
  });
}

Deno.test("a regime may have a root for each half of its addresses, and tags above them", async () => {
  const memory = memoryWith([
    [0x1020n, 4, 0x8_0000n | valid | page | user],
    [0x1040n, 4, 0x4_0000n | valid | page | write],
  ]);
  const [low] = toyRegime(0x1020n).spans;
  const regime: Regime = {
    ...toyRegime(0x1020n),
    spans: [{ ...low!, tagBits: 8 }, { ...low!, tagBits: 8, extension: "ones", table: 0x1040n }],
  };
  const HIGH = 0xffff_ffff_fff0_0000n;
  const physical = async (address: bigint) => {
    const found = await walk(memory, regime, address);
    return found.outcome === "mapped" ? found.physicalAddress : found.outcome;
  };
  assertEquals(await physical(0x10_0123n), 0x8_0123n);
  assertEquals(await physical(HIGH | 0x123n), 0x4_0123n);
  assertEquals(await physical(0x5a00_0000_0010_0123n), 0x8_0123n);
  assertEquals(await physical(0x00ff_ffff_fff0_0123n), 0x4_0123n);
  assertEquals(await physical(0x20_0000n), "nonCanonical");
  assertEquals(await physical(0xffff_ffff_ffd0_0000n), "nonCanonical");
  const lines = await Array.fromAsync(mappings(memory, regime), (run) => mappingLine(run, regime));
  assertEquals(lines, [
    "0x0000000000100000-0x000000000013ffff   256 KiB 256 KiB ur--   cached 0x0000000000080000",
    "0xfffffffffff00000-0xfffffffffff3ffff   256 KiB 256 KiB -rw-   cached 0x0000000000040000",
  ]);
  const upper = { start: HIGH, lengthBytes: 0x8_0000 };
  const { passed, inconclusive } = await verifyRange(memory, regime, upper, { user: false });
  assertEquals([passed, inconclusive], [1, 0x4_0000 / 4096]);
  const found = await Array.fromAsync(aliases(memory, regime, 0x4_0010n));
  assertEquals(found.map(({ address }) => address), [HIGH | 0x10n]);
});

Deno.test("several entries may map one page, and each its own part of it", async () => {
  const entry = 0x8000n | valid | page | write | SPECIAL;
  const memory = memoryWith([
    [0x1020n, 0, 0x2000n | valid],
    [0x2000n, 0, 0x3000n | valid],
    ...[0, 1, 2, 3].map((index) => [0x3000n, index, entry] as const),
    [0x3000n, 4, 0xc000n | valid | page | write],
  ]);
  const regime = specialRegime(0x1020n);
  const found = await walk(memory, regime, 0x2123n);
  assert(found.outcome === "mapped");
  assertEquals([found.physicalAddress, found.pageSizeBytes], [0xa123n, 0x4000]);
  const runs = await Array.fromAsync(mappings(memory, regime));
  assertEquals(runs.map((run) => run.kind === "mapping" && [run.pageSizeBytes, run.pages]), [
    [0x4000, 1],
    [0x1000, 1],
  ]);
  assertEquals(runs[0]!.kind === "mapping" && runs[0]!.physicalAddress, 0x8000n);
  const part = await Array.fromAsync(mappings(memory, regime, { start: 0x1000n, lengthBytes: 1 }));
  assertEquals(part[0]!.kind === "mapping" && part[0]!.physicalAddress, 0x9000n);
  const reached = await Array.fromAsync(aliases(memory, regime, 0xb007n));
  assertEquals(reached.map(({ address }) => address), [0x3007n]);
});

Deno.test("levels may be left out: the addresses that they would tell apart must be 0", async () => {
  const memory = memoryWith([
    [0x1020n, 1, 0x3000n | valid | SPECIAL],
    [0x3000n, 7, 0x9000n | valid | page | user],
  ]);
  const regime = specialRegime(0x1020n);
  const found = await walk(memory, regime, 0x4_7123n);
  assert(found.outcome === "mapped");
  assertEquals(found.physicalAddress, 0x9123n);
  assertEquals(found.steps.map(({ name }) => name), ["Root", "Twig"]);
  assertEquals((await walk(memory, regime, 0x4_f123n)).outcome, "notPresent");
  const runs = await Array.fromAsync(mappings(memory, regime));
  assertEquals(runs.map((run) => mappingLine(run, regime)), [
    "0x00047000-0x00047fff     4 KiB  4 KiB ur--   cached 0x00009000",
  ]);
});
