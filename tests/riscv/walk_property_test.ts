/**
 * Random RISC-V tables in every mode, the second stage's too: the walk and the listing must agree with
 * the builder, which was written from the specification without a line of the walker's code.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { RiscvMode } from "../../src/arch/riscv/modes.ts";
import { riscvRegime, riscvSecondStage } from "../../src/arch/riscv/regime.ts";
import { RiscvPageTables, type RiscvTableMode } from "../../src/testing/riscv_page_tables.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { listTables as list } from "../../src/translate/listing.ts";
import { walk } from "../../src/translate/walk.ts";

const MODES: RiscvTableMode[] = [
  ...["Sv32", "Sv39", "Sv48", "Sv57"] as const,
  ...["Sv32x4", "Sv39x4", "Sv48x4", "Sv57x4"] as const,
];

function regimeOf({ mode, root }: RiscvPageTables) {
  const first = mode.slice(0, 4) as RiscvMode;
  return mode.endsWith("x4") ? riscvSecondStage(first, root) : riscvRegime(first, root);
}

interface Plan {
  va: bigint;
  pa: bigint;
  level: number;
  kind: "page" | "page" | "napot";
  letters: string;
  memoryType: number;
  highSoftware: number;
  damage: { level: number; mask: bigint; how: "none" | "flip" | "replace" };
}

const bit = fc.integer({ min: 0, max: 63 }).map((n) => 1n << BigInt(n));
const plans = fc.array(
  fc.record<Plan>({
    // Few top indexes, so that pages share tables and collide.
    va: fc.tuple(fc.constantFrom(0n, 0x1ffn, 0xffffn), fc.bigInt(0n, (1n << 34n) - 1n)).map((
      [top, low],
    ) => top << 48n ^ low),
    pa: fc.bigInt(0n, (1n << 55n) - 1n),
    level: fc.nat(4),
    kind: fc.constantFrom("page", "page", "napot"),
    letters: fc.constantFrom("VRAD", "VRWAD", "VXA", "VRXUA", "VRWXUGAD", "VRWU", "VW", "V", "RW"),
    memoryType: fc.nat(3),
    highSoftware: fc.nat(3),
    damage: fc.record({
      level: fc.nat(4),
      mask: fc.oneof(bit, fc.constantFrom(1n, 2n, 4n, 8n, 16n, 64n, 1n << 63n, 0x3c00n)),
      how: fc.constantFrom("none", "none", "flip", "replace"),
    }),
  }),
  { minLength: 1, maxLength: 8 },
);

function build(mode: RiscvTableMode, all: Plan[]): { tables: RiscvPageTables; asked: bigint[] } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const tables = new RiscvPageTables(mode, memory, 0x10_0000n);
  const isWide = !mode.startsWith("Sv32");
  const bits = { Sv32: 32, Sv39: 39, Sv48: 48, Sv57: 57 }[mode.slice(0, 4) as RiscvMode];
  const addressBits = mode.endsWith("x4") ? bits + 2 : bits;
  const asked: bigint[] = [0n, (1n << 64n) - 1n, 1n << BigInt(addressBits - 1)];
  for (const plan of all) {
    const plain = BigInt.asUintN(addressBits, plan.va ^ plan.va << 20n);
    const isSigned = isWide && !mode.endsWith("x4");
    const va = isSigned ? BigInt.asUintN(64, BigInt.asIntN(addressBits, plain)) : plain;
    const level = plan.level % tables.levels;
    asked.push(va, va ^ 1n << BigInt(addressBits), va ^ 0x1000n, va ^ tables.pageBytes(level));
    const entry = {
      bits: plan.letters,
      ...isWide && { memoryType: plan.memoryType, highSoftware: plan.highSoftware },
    };
    const pa = BigInt.asUintN(isWide ? 56 : 34, plan.pa);
    try {
      if (plan.kind === "napot" && isWide) tables.mapNapot(va & ~0xffffn, pa & ~0xffffn, entry);
      else tables.map(va, pa & ~(tables.pageBytes(level) - 1n), level, entry);
      if (plan.damage.how === "none") continue;
      const at = plan.damage.level % tables.levels;
      const mask = isWide ? plan.damage.mask : BigInt.asUintN(32, plan.damage.mask);
      const raw = tables.entry(va, at);
      tables.put(va, at, plan.damage.how === "flip" ? raw ^ mask : mask | 1n);
    } catch (error) {
      // A page of an earlier plan, or a table that damage has led out of memory, is in the way.
      assert(/A page of level|outside|not backed|RAM/i.test(String(error)), String(error));
    }
  }
  return { tables, asked };
}

for (const mode of MODES) {
  Deno.test(`walks of random ${mode} tables agree with the builder`, async () => {
    let probes = 0;
    await fc.assert(
      fc.asyncProperty(plans, async (all) => {
        const { tables, asked } = build(mode, all);
        const regime = regimeOf(tables);
        for (const va of asked) {
          const found = await walk(tables.memory, regime, va, { recheck: false });
          if (found.outcome === "unreadable") continue; // the builder does not leave memory
          const expected = tables.expect(va);
          probes++;
          const { outcome } = found;
          if (expected.outcome === "mapped") {
            assert(outcome === "mapped", `${va.toString(16)}: ${outcome}`);
            const { physicalAddress, pageSizeBytes } = found;
            const { physicalAddress: pa, pageSizeBytes: size, raw } = expected;
            assertEquals([physicalAddress, pageSizeBytes], [pa, size]);
            const { user, readable, writable, executable } = found.effective;
            assertEquals(
              [readable, writable, executable, user],
              [1n, 2n, 3n, 4n].map((low) => (raw >> low & 1n) === 1n),
            );
          } else if (expected.level === null) {
            assertEquals(outcome, "nonCanonical");
          } else {
            assert(outcome === "notPresent" || outcome === "reservedBits", outcome);
            assertEquals(found.level, expected.level);
          }
        }
      }),
      { numRuns: 60, seed: 17 },
    );
    assert(probes > 600, String(probes));
  });

  Deno.test(`listings of random ${mode} tables hold what the walks find`, async () => {
    let pages = 0;
    await fc.assert(
      fc.asyncProperty(plans, async (all) => {
        const { tables, asked } = build(mode, all);
        const regime = regimeOf(tables);
        const options = { maxTables: 64, expandShared: true };
        const batches = await Array.fromAsync(list(tables.memory, regime, {}, options));
        const records = batches.flat();
        if (records.some(({ kind }) => kind === "truncated")) return;
        const covers = (va: bigint) => ({ address, lengthBytes }: (typeof records)[number]) =>
          va >= address && va < address + BigInt(lengthBytes);
        for (const record of records) {
          if (record.kind !== "page") continue;
          pages++;
          const expected = tables.expect(record.address);
          assert(expected.outcome === "mapped");
          const { physicalAddress, pageSizeBytes = record.lengthBytes } = record;
          const { physicalAddress: pa, pageSizeBytes: size } = expected;
          assertEquals([physicalAddress, pageSizeBytes], [pa, size]);
        }
        for (const va of asked) {
          const isListed = records.some((each) => each.kind === "page" && covers(va)(each));
          if (records.some((each) => each.kind === "unreadable" && covers(va)(each))) continue;
          assertEquals(isListed, tables.expect(va).outcome === "mapped", va.toString(16));
        }
      }),
      { numRuns: 20, seed: 17 },
    );
    assert(pages > 20, String(pages));
  });
}
