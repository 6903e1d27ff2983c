import type { NoTables } from "../../translate/no_tables.ts";
import { CR0, CR4, EFER } from "./control_bits.ts";
import type { CpuRegisters } from "./registers.ts";

/** Whether a vCPU translates by the guest's page tables, or why it does not. */
export type CpuState =
  /** Its CR3 is the root of the guest's tables. */
  | { readonly kind: "translating" }
  /** It is not, or nobody can tell. */
  | NoTables;

/** Paging is off in a context, and no vCPU is known: what there is to say then. */
export const PAGING_OFF: NoTables = Object.freeze({
  kind: "pagingOff",
  reason: "paging is off (CR0.PG=0)",
});

const TRANSLATING: CpuState = Object.freeze({ kind: "translating" });

// Linux since 4.15: the read-only IDT is the first page of the CPU entry area, and every CPU's TSS is in
// it (arch/x86/include/asm/cpu_entry_area.h, pgtable_areas.h: CPU_ENTRY_AREA_PGD is -4, 512 GiB).
const ENTRY_AREA = 0xffff_fe00_0000_0000n;
const ENTRY_AREA_END = 0xffff_fe80_0000_0000n;
const LINUX_IDT = 0xffff_fe00_0000_0000n;

/**
 * Says whether a vCPU translates by the guest's page tables: the one place that decides it.
 *
 * A nested guest shows its registers unmarked. It can only be where a hypervisor of the guest has turned
 * virtualization on: EFER.SVME is set while any SVM guest runs (AMD APM vol. 2, 15.5.1), CR4.VMXE while
 * any VMX guest does (Intel SDM vol. 3, 23.8). Where neither is set there is no doubt. Where one is, only
 * a vCPU whose IDT and TR are where Linux keeps its own counts as the guest's.
 *
 * @example Usage
 * ```ts
 * import { cpuState } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const state = cpuState({ cpu: 0, cr0: 0x60000010n, cr4: 0n, efer: 0n });
 * assertEquals(state, { kind: "pagingOff", reason: "paging is off on vCPU 0 (CR0.PG=0)" });
 * ```
 */
export function cpuState(
  registers: Pick<CpuRegisters, "cpu" | "cr0" | "cr4" | "efer"> & Partial<CpuRegisters>,
): CpuState {
  const { cpu, cr0, halted, smm, idtBase } = registers;
  if (smm === true) {
    const reason =
      `vCPU ${cpu} is in system-management mode (SMM=1): its tables are the firmware's, ` +
      "and its memory is not shown";
    return { kind: "smm", reason };
  }
  if (!(cr0 & CR0.PG)) {
    const reason = `paging is off on vCPU ${cpu} (CR0.PG=0)`;
    // QEMU's first vCPU starts by itself; the others wait for it in HLT.
    if (cpu === 0 || !halted) return { kind: "pagingOff", reason };
    return { kind: "notStarted", reason: `${reason}: it has not been started` };
  }
  const by = virtualizationOf(registers);
  if (by === null) return TRANSLATING;
  if (idtBase === undefined) {
    const reason = `vCPU ${cpu} may be inside a nested guest (${by} is set), and this connection ` +
      "does not show its IDT";
    return { kind: "nested", reason };
  }
  return runsLinux(registers)
    ? TRANSLATING
    : nestedState(cpu, `${by} is set, and its IDT or TR is not where Linux has them`);
}

/** Whether a vCPU's IDT and TR are where a Linux of 64 bits has its own. */
export function runsLinux({ idtBase, trBase }: Partial<CpuRegisters>): boolean {
  return idtBase === LINUX_IDT &&
    (trBase === undefined || (trBase >= ENTRY_AREA && trBase < ENTRY_AREA_END));
}

/** The state of a vCPU that seems to be in a guest of the guest. */
export function nestedState(cpu: number, signs: string): NoTables {
  const reason =
    `vCPU ${cpu} seems to be inside a nested guest (${signs}): its CR3 would be an address ` +
    "in that guest's memory";
  return { kind: "nested", reason };
}

/** Whether the guest may run guests of its own on this vCPU; then by which bit, else null. */
export function virtualizationOf(
  { cr4, efer }: Pick<CpuRegisters, "cr4" | "efer">,
): "EFER.SVME" | "CR4.VMXE" | null {
  if (efer & EFER.SVME) return "EFER.SVME";
  return cr4 & CR4.VMXE ? "CR4.VMXE" : null;
}
