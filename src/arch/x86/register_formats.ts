import type { RegisterFormats, StubRegisters } from "../register_formats.ts";
import type { AddressLike } from "../../core/address.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import type { Regime } from "../../translate/regime.ts";
import { walk } from "../../translate/walk.ts";
import { CR0 } from "./control_bits.ts";
import { registersOfNote } from "./dump_note.ts";
import { nestedState, runsLinux, virtualizationOf } from "./cpu_state.ts";
import {
  assumedRegisters,
  checkRoot,
  type PagingContext,
  pagingContext,
  type PagingContextOptions,
} from "./paging_context.ts";
import type { PagingModeName } from "./paging_state.ts";
import type { CpuRegisters } from "./registers.ts";
import { areX86Registers, parseRegisters } from "./printed_registers.ts";

const STUB: StubRegisters = {
  wanted: [["rip", "eip"], ["eflags"], ["cs"], ["cr0"], ["cr2"], ["cr3"], ["cr4"], ["efer"]],
  combine(values, printed: CpuRegisters): CpuRegisters {
    const [rip, rflags, cs, cr0, cr2, cr3, cr4, efer] = values;
    // The CPL is the RPL of CS in protected mode (Intel SDM vol. 3, 5.5); in real mode it is 0.
    const cpl = cr0! & CR0.PE ? Number(cs! & 3n) : 0;
    return {
      ...printed,
      ...{ rip: rip!, rflags: rflags!, cpl },
      ...{ cr0: cr0!, cr2: cr2!, cr3: cr3!, cr4: cr4!, efer: efer! },
    };
  },
};

/** How x86's registers are told. */
export const X86_REGISTERS: RegisterFormats = {
  modes: ["none", "4-level", "5-level", "pae", "32-bit"],
  recognizes: areX86Registers,
  printed: parseRegisters,
  stub: STUB,
  dumpMachines: [3, 62],
  dumped: registersOfNote,
  dumpNotice: "a dump does not hold EFER: NX is taken to be on",
  // Without PCID or cache bits, and without LAM's.
  rootOf: ({ cr3 }: CpuRegisters) => cr3 & 0x000f_ffff_ffff_f000n,
  regimeOf: (registers: CpuRegisters) => pagingContext(registers),
  contextOf: vcpuContext,
  needsPeers: ({ eferAssumed }: CpuRegisters) => eferAssumed === true,
  contextOfMode: (mode, options) =>
    pagingContext(assumedRegisters(mode as PagingModeName), options),
  checkRoot(root: AddressLike, { mode }: Regime) {
    checkRoot(root, mode as PagingModeName);
  },
};

/**
 * The paging context of a vCPU of a guest that may run guests of its own: its `noTables` says if the vCPU
 * seems to be in one of those.
 *
 * @param peers the registers of all vCPUs, where EFER is not told
 */
async function vcpuContext(
  memory: PhysicalMemory,
  registers: CpuRegisters,
  peers: readonly CpuRegisters[],
  options: Omit<PagingContextOptions, "root">,
): Promise<PagingContext> {
  const { cpu, idtBase, eferAssumed } = registers;
  const context = pagingContext(registers, options);
  // Where EFER is not told, EFER.SVME is not: then a vCPU that differs from a Linux beside it is suspect.
  if (eferAssumed && context.noTables === undefined && !runsLinux(registers)) {
    if (!peers.some(runsLinux)) return context;
    const sign = "other vCPUs run Linux, and its IDT or TR is not Linux's";
    return { ...context, noTables: nestedState(cpu, sign) };
  }
  const by = virtualizationOf(registers);
  if (context.noTables !== undefined || by === null || idtBase === undefined) return context;
  // A Linux in a nested guest has its IDT at the same address, but its CR3 leads to no tables here.
  const { outcome } = await walk(memory, context, idtBase, { recheck: false });
  if (outcome === "mapped") return context;
  const sign = `${by} is set, and the tables at its CR3 do not map its IDT`;
  return { ...context, noTables: nestedState(cpu, sign) };
}
