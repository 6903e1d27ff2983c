/** Machines in every state that a vCPU may be found in, over random tables, and questions to them. */
import fc from "fast-check";
import type { CpuRegisters } from "../../src/arch/x86/registers.ts";
import type { Expectation } from "../../src/verify/expectation.ts";
import { type PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { buildTables, MODES, type Plan, plans } from "../mappings/_random_tables.ts";
import { inReset, LINUX, SVME, VMXE } from "../session/_vcpus.ts";

/** What a vCPU is doing. */
export type Doing =
  | "running"
  | "hypervisor"
  | "paging off"
  | "not started"
  | "smm"
  | "smm without paging"
  | "nested by SVM"
  | "nested by VMX"
  | "nested Linux";

/** The plan of a machine: two address spaces and some vCPUs. */
export interface MachinePlan {
  mode: typeof MODES[number];
  nxEnabled: boolean;
  /** Whether MAXPHYADDR, which is 40, is known. */
  bitsKnown: boolean;
  spaces: [Plan[], Plan[]];
  vcpus: { doing: Doing; space: 0 | 1 }[];
}

export interface Vcpu {
  registers: CpuRegisters;
  /** The tables that it translates by, or null if it translates by none of the guest's. */
  tables: PageTableBuilder | null;
}

export interface Machine {
  plan: MachinePlan;
  spaces: [PageTableBuilder, PageTableBuilder];
  vcpus: Vcpu[];
  /** Addresses near which something was mapped, in either space. */
  addresses: bigint[];
}

export const machinePlan: fc.Arbitrary<MachinePlan> = fc.record({
  mode: fc.constantFrom(...MODES),
  nxEnabled: fc.boolean(),
  bitsKnown: fc.boolean(),
  spaces: fc.tuple(plans, plans),
  vcpus: fc.array(
    fc.record({
      doing: fc.constantFrom<Doing>(
        ...Array.from({ length: 8 }, (): Doing => "running"),
        "hypervisor",
        "paging off",
        "not started",
        "smm",
        "smm without paging",
        "nested by SVM",
        "nested by VMX",
        "nested Linux",
      ),
      space: fc.constantFrom<0 | 1>(0, 1),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

/** Builds the two spaces in one memory, so that one address may be in both. */
export function buildMachine(plan: MachinePlan): Machine {
  const { mode, nxEnabled } = plan;
  const first = buildTables(mode, plan.spaces[0], { nxEnabled });
  // The second space repeats some of the first one's addresses with rights of its own.
  const both = [
    ...plan.spaces[1],
    ...plan.spaces[0].map((page) => ({
      ...page,
      rights: { ...page.rights, user: !page.rights.user, writable: !page.rights.writable },
    })),
  ];
  const { memory } = first;
  const tablesAt = (first.builder.tablesEnd + 0xfff_ffffn) & ~0xfff_ffffn;
  const second = buildTables(mode, both, { nxEnabled, memory, tablesAt });
  const spaces: Machine["spaces"] = [first.builder, second.builder];
  if (mode === "4-level" || mode === "5-level") spaces.forEach(mapLinuxIdt);
  return {
    plan,
    spaces,
    vcpus: plan.vcpus.map(({ doing, space }, cpu) => vcpuOf(cpu, doing, spaces[space])),
    addresses: [...first.addresses, ...second.addresses],
  };
}

function mapLinuxIdt(tables: PageTableBuilder): void {
  // Some plan may have something there, or have broken the way; then no hypervisor runs on it.
  if (tables.expect(LINUX.idtBase).outcome === "notPresent") {
    try {
      tables.map(LINUX.idtBase, 0x6000n, "4K");
    } catch (error) {
      if ((error as Error).name !== "InvalidArgumentError") throw error;
    }
  }
}

function vcpuOf(cpu: number, doing: Doing, tables: PageTableBuilder): Vcpu {
  const running: CpuRegisters = {
    ...registersFor(tables, { cpu }),
    ...{ smm: false, idtBase: 0n, trBase: 0n },
  };
  const long = tables.mode === "4-level" || tables.mode === "5-level";
  switch (doing) {
    case "running":
      return { registers: running, tables };
    case "hypervisor": {
      // A host of guests, itself at work: its IDT is Linux's, and its own tables map it.
      const mapped = long && tables.expect(LINUX.idtBase).outcome === "mapped";
      const registers = { ...running, ...LINUX, efer: running.efer | SVME };
      return mapped ? { registers, tables } : { registers: running, tables };
    }
    case "paging off":
      return { registers: { ...running, cr0: running.cr0 & ~(1n << 31n) }, tables: null };
    case "not started":
      return { registers: inReset(cpu), tables: null };
    case "smm":
      return { registers: { ...running, smm: true }, tables: null };
    case "smm without paging":
      return { registers: { ...inReset(cpu), smm: true }, tables: null };
    // An inner guest's CR3 that happens to be the address of tables: the worst case.
    case "nested by SVM":
      return { registers: { ...running, efer: running.efer | SVME }, tables: null };
    case "nested by VMX": {
      const { idtBase } = LINUX;
      return { registers: { ...running, cr4: running.cr4 | VMXE, idtBase }, tables: null };
    }
    case "nested Linux":
      // Its IDT is where every Linux has it, but its CR3 leads to no tables here.
      return {
        registers: { ...running, ...LINUX, efer: running.efer | SVME, cr3: 0x8000n },
        tables: null,
      };
  }
}

/** A question: whose tables, which address, what is expected, and what the guest does meanwhile. */
export interface Question {
  choice: "current" | "cpu" | "root" | "sample";
  which: number;
  near: number;
  page: number;
  /** 0 asks for one address, else for so many pages. */
  pages: number;
  expectation: Expectation;
  /** A change of one entry at this read, or null. */
  change: { atRead: number; level: number; bit: bigint } | null;
}

const right = fc.option(fc.boolean(), { nil: undefined });

const expectation: fc.Arbitrary<Expectation> = fc.oneof(
  fc.constant<Expectation>({ present: false }),
  fc.record({
    user: right,
    writable: right,
    executable: right,
    scope: fc.constantFrom<"leaf" | "effective">("leaf", "effective"),
  }).map(({ scope, ...rights }): Expectation => {
    const named = Object.entries(rights).filter(([, value]) => value !== undefined);
    return { ...(named.length > 0 ? Object.fromEntries(named) : { user: false }), scope };
  }),
);

export const question: fc.Arbitrary<Question> = fc.record({
  // A sample waits for a millisecond or more.
  choice: fc.nat(39).map((n): Question["choice"] =>
    n === 0 ? "sample" : (["current", "cpu", "root"] as const)[n % 3]!
  ),
  which: fc.nat(2),
  near: fc.nat(23),
  page: fc.constantFrom(-1, 0, 0, 0, 1, 3),
  pages: fc.constantFrom(0, 0, 0, 1, 3),
  expectation,
  change: fc.option(
    fc.record({
      atRead: fc.integer({ min: 1, max: 12 }),
      level: fc.integer({ min: 1, max: 5 }),
      bit: fc.constantFrom(1n, 2n, 4n, 1n << 63n, 1n << 12n),
    }),
    { freq: 2, nil: null },
  ),
});
