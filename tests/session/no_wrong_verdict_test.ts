/** Random machines, tables and questions: nothing passes or fails that the builder does not bear out. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { CpuRegisters } from "../../src/arch/x86/registers.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { CLEARED, inReset, LINUX, sessionOn, SVME, VMXE } from "./_vcpus.ts";

const BITS = [36, 40, 46, 52] as const;

/** What a vCPU does, and whether it translates by the guest's tables. */
const STATES = {
  running: (own: CpuRegisters) => [own, true],
  "a Linux that runs guests": (own) => [{ ...own, ...LINUX, efer: own.efer | SVME }, true],
  "paging off": (own) => [{ ...own, cr0: 0x11n }, false],
  "not started": ({ cpu }) => [inReset(cpu), false],
  SMM: (own) => [{ ...own, smm: true }, false],
  "SMM without paging": ({ cpu }) => [{ ...inReset(cpu), smm: true }, false],
  "nested, SVM": (own) => [{ ...own, efer: own.efer | SVME }, false],
  "nested, VMX": (own) => [{ ...own, cr4: own.cr4 | VMXE, idtBase: LINUX.idtBase }, false],
  "a nested Linux": (own) => [{ ...own, ...LINUX, efer: own.efer | SVME, cr3: 0x8000n }, false],
} satisfies Record<string, (own: CpuRegisters) => [CpuRegisters, boolean]>;

const bit = fc.integer({ min: 0, max: 63 });
const machine = fc.record({
  states: fc.array(fc.constantFrom(...Object.keys(STATES)), { minLength: 1, maxLength: 3 }),
  choice: fc.nat(2),
  rights: fc.record({ user: fc.boolean(), writable: fc.boolean(), noExecute: fc.boolean() }),
  flips: fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), bit), { maxLength: 3 }),
  nxEnabled: fc.boolean(),
  bits: fc.constantFrom(...BITS),
  isKnown: fc.boolean(),
  expectation: fc.constantFrom(
    { user: false },
    { user: true },
    { writable: true, scope: "effective" as const },
    { executable: false, scope: "effective" as const },
    { present: true },
    { present: false },
  ),
});

Deno.test("no verdict on random machines is wrong", async () => {
  const count = { cases: 0, pass: 0, fail: 0, inconclusive: 0 };
  await fc.assert(
    fc.asyncProperty(machine, async (drawn) => {
      const { nxEnabled, bits, isKnown, expectation } = drawn;
      const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
      const tables = new PageTableBuilder("4-level", memory, {
        tablesAt: 0x10_0000n,
        nxEnabled,
        maxPhysAddrBits: bits,
      });
      const { noExecute, ...rights } = drawn.rights;
      tables.map(CLEARED, 0x5000n, "4K", { ...rights, ...nxEnabled && { noExecute } });
      tables.map(LINUX.idtBase, 0x6000n, "4K", {});
      // From the leaf up, as below a damaged entry the builder finds no other.
      for (const [level, n] of drawn.flips.toSorted(([a], [b]) => a - b)) {
        tables.change(CLEARED, level as 1, (raw) => raw ^ (1n << BigInt(n)));
      }
      const vcpus = drawn.states.map((name, cpu) => {
        const own = { ...registersFor(tables, { cpu }), smm: false, idtBase: 0n, trBase: 0n };
        return (STATES as Record<string, (own: CpuRegisters) => [CpuRegisters, boolean]>)[name]!(
          own,
        );
      });
      const cpu = drawn.choice % vcpus.length;
      const guest = sessionOn(memory, () => vcpus.map(([registers]) => registers), {
        ...isKnown && { paging: { physicalAddressBits: bits } },
      });
      const verdicts = [
        (await guest.verify(CLEARED, expectation, { cpu })).verdict,
        (await guest.verifyRange(CLEARED, 4096, expectation, { cpu })).verdict,
      ];
      assertEquals(verdicts[0], verdicts[1]);
      const [verdict] = verdicts;
      count.cases++;
      count[verdict!]++;
      const truth = truthOf(tables, expectation);
      if (!vcpus[cpu]![1]) assertEquals(verdict, "inconclusive");
      else if (verdict !== "inconclusive") assertEquals(verdict, truth);
      // An answer is owed where nothing is in doubt.
      else assert(truth === null || !isKnown);
    }),
    { numRuns: Number(Deno.env.get("PAGEWALK_CASES") ?? 3000) },
  );
  console.log(`  ${count.cases} machines: no wrong pass, no wrong fail`, count);
  assert(count.pass > 100 && count.fail > 100);
});

/** What the builder says; null where an access faults otherwise than for an absent entry. */
function truthOf(
  tables: PageTableBuilder,
  expectation: Record<string, unknown>,
): "pass" | "fail" | null {
  const found = tables.expect(CLEARED);
  if (found.outcome === "notPresent") return expectation.present === false ? "pass" : null;
  if (found.outcome !== "mapped") return null;
  const { leaf, effective } = found.leaf;
  const said = expectation.scope === "effective"
    ? effective
    : { user: leaf.user, writable: leaf.writable, executable: !leaf.noExecute };
  const { present = true, scope: _, ...rights } = expectation;
  if (present === false) return "fail";
  return Object.entries(rights).every(([right, wanted]) => said[right as "user"] === wanted)
    ? "pass"
    : "fail";
}
