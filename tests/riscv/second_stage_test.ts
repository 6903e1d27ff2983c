/** What an inner guest's access comes to by both stages, the tables of both being built. */
import { assert, assertEquals } from "@std/assert";
import { riscvStagesOf, secondStage, walk } from "../../mod.ts";
import { riscvSecondStage } from "../../src/arch/riscv/regime.ts";
import { RiscvPageTables, type RiscvTableMode } from "../../src/testing/riscv_page_tables.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { entryNameOf } from "../../src/translate/regime.ts";

const HART = {
  architecture: "riscv",
  ...{ cpu: 0, pc: 0n, mstatus: 0n, satp: 0n, virtualized: true },
} as const;
const ALL = "VRWXUAD";

/** A first stage at 0x80100000 of the inner guest, which the machine has 16 MiB higher. */
function build(first: RiscvTableMode, second: RiscvTableMode) {
  const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8400_0000n)] });
  const inner = new SparseMemory({ ranges: [...memory.ranges] });
  const tables = new RiscvPageTables(first, inner, 0x8010_0000n);
  const stage = new RiscvPageTables(second, memory, 0x8200_0000n);
  return {
    ...{ memory, tables, stage },
    /** Puts the first stage's tables where the second stage has them, with these rights. */
    finish(bits = ALL) {
      for (const { address, bytes } of inner.writtenRuns()) {
        memory.writeBytes(address + 0x100_0000n, bytes);
        for (let at = address & ~0xfffn; at < address + BigInt(bytes.length); at += 0x1000n) {
          if (stage.expect(at).outcome !== "mapped") {
            stage.map(at, at + 0x100_0000n, 0, { bits });
          }
        }
      }
      const xlen = first === "Sv32" ? 32 : 64;
      const stages = riscvStagesOf({
        ...{ ...HART, xlen, vsatp: tables.rootRegister, hgatp: stage.rootRegister },
      });
      assert(stages?.first && stages.second);
      assertEquals([stages.first.mode, stages.second.mode], [first, second]);
      return { ...stages.first, stage2: secondStage(stages.second) };
    },
  };
}

for (
  const [first, second, levels, inner] of [
    ["Sv32", "Sv32x4", 2, 2],
    ["Sv39", "Sv39x4", 3, 3],
    ["Sv39", "Sv57x4", 5, 3],
    ["Sv57", "Sv48x4", 4, 5],
  ] as const
) {
  Deno.test(`${first} through ${second}: the steps of both stages, and the rights that both leave`, async () => {
    const { memory, tables, stage, finish } = build(first, second);
    const pages = {
      "rwx": ["VRWXUAD", "VRWXUAD"],
      "r--": ["VRWXUAD", "VRUAD"],
      "r-x": ["VRWXUAD", "VRXUAD"],
      "rw-": ["VRWUAD", "VRWXUAD"],
      "--x": ["VRWXUAD", "VXUAD"],
    } as const;
    for (const [i, [own, behind]] of Object.values(pages).entries()) {
      const [va, gpa] = [0x1000n * BigInt(i + 1), 0x8040_0000n + 0x1000n * BigInt(i)];
      tables.map(va, gpa, 0, { bits: own });
      stage.map(gpa, 0x8300_0000n + 0x1000n * BigInt(i), 0, { bits: behind });
    }
    const regime = finish();
    for (const [i, rights] of Object.keys(pages).entries()) {
      const found = await walk(memory, regime, 0x1000n * BigInt(i + 1) + 8n);
      assert(found.outcome === "mapped", `${rights}: ${found.outcome}`);
      assertEquals(found.intermediateAddress, 0x8040_0008n + 0x1000n * BigInt(i));
      assertEquals(found.physicalAddress, 0x8300_0008n + 0x1000n * BigInt(i));
      assertEquals(found.steps.length, inner);
      // A walk of the second stage for each table of the first, and for the result.
      assertEquals(found.secondStage?.length, inner + 1);
      for (const { steps } of found.secondStage!) assertEquals(steps.length, levels);
      const { readable, writable, executable } = found.effective;
      const letters = (readable ? "r" : "-") + (writable ? "w" : "-") + (executable ? "x" : "-");
      assertEquals(letters, rights);
      if (rights === "r--") {
        assertEquals(entryNameOf(regime, found.decidedBy.writable), "the second stage");
      }
      assertEquals(entryNameOf(regime, found.decidedBy.present), "L0 PTE");
    }
    assertEquals((await walk(memory, regime, 0x10_0000n)).outcome, "notPresent");
  });
}

Deno.test("a second stage that lacks U, or cannot be read, leaves no entry of the first", async () => {
  for (const bits of ["VRWXAD", "VXUAD", "RWXUAD"]) {
    const { memory, tables, finish } = build("Sv39", "Sv39x4");
    tables.map(0x1000n, 0x8040_0000n, 0, { bits: ALL });
    const found = await walk(memory, finish(bits), 0x1000n);
    assert(found.outcome === "unreadable", `${bits}: ${found.outcome}`);
    assertEquals([found.failure, found.steps], ["secondStage", []], bits);
  }
});

Deno.test("an address of 41 bits is one of Sv39x4, whose root has 2048 entries", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8400_0000n)] });
  const stage = new RiscvPageTables("Sv39x4", memory, 0x8200_0000n);
  stage.map(0x1ff_ffff_f000n, 0x8300_0000n, 0, { bits: ALL });
  const regime = riscvSecondStage("Sv39", stage.root);
  const found = await walk(memory, regime, 0x1ff_ffff_f008n);
  assert(found.outcome === "mapped");
  assertEquals([found.physicalAddress, found.steps[0]!.index], [0x8300_0008n, 2047]);
  assertEquals((await walk(memory, regime, 0x200_0000_0000n)).outcome, "nonCanonical");
});

Deno.test("registers with a mode that is none have no stages", () => {
  const hart = { ...HART, xlen: 64 } as const;
  const [vsatp, hgatp] = [0x8000_0000_0008_0100n, 0x8000_0000_0008_2000n];
  const stages = riscvStagesOf({ ...hart, vsatp, hgatp });
  assertEquals([stages?.first?.mode, stages?.second?.mode], ["Sv39", "Sv39x4"]);
  for (const code of [1n, 5n, 7n, 11n, 15n]) {
    const garbage = code << 60n | 0x8_2000n;
    assertEquals(riscvStagesOf({ ...hart, vsatp, hgatp: garbage }), null);
    assertEquals(riscvStagesOf({ ...hart, vsatp: garbage, hgatp }), null);
  }
  // 0 is no stage.
  assertEquals(riscvStagesOf({ ...hart, vsatp: 0n, hgatp })?.first, null);
  assertEquals(riscvStagesOf({ ...hart, vsatp, hgatp: 0n })?.second, null);
});
