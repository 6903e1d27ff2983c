import type { RegisterFormats, StubRegisters } from "../architecture.ts";
import type { AddressLike } from "../../core/address.ts";
import type { Regime } from "../../translate/regime.ts";
import { assumedRegisters } from "./assumed_registers.ts";
import { registersOfNote } from "./dump_note.ts";
import { checkRoot, pagingContext } from "./paging_context.ts";
import type { PagingModeName } from "./paging_state.ts";
import type { CpuRegisters } from "./registers.ts";
import { vcpuContext } from "./vcpu_context.ts";
import { areX86Registers, parseRegisters } from "./printed_registers.ts";

const CR0_PE = 1n;

const STUB: StubRegisters = {
  wanted: [["rip", "eip"], ["eflags"], ["cs"], ["cr0"], ["cr2"], ["cr3"], ["cr4"], ["efer"]],
  combine(values, printed: CpuRegisters): CpuRegisters {
    const [rip, rflags, cs, cr0, cr2, cr3, cr4, efer] = values;
    // The CPL is the RPL of CS in protected mode (Intel SDM vol. 3, 5.5); in real mode it is 0.
    const cpl = cr0! & CR0_PE ? Number(cs! & 3n) : 0;
    return {
      ...printed,
      ...{ rip: rip!, rflags: rflags!, cpl },
      ...{ cr0: cr0!, cr2: cr2!, cr3: cr3!, cr4: cr4!, efer: efer! },
    };
  },
};

/** How x86's registers are told. */
export const X86_REGISTERS: RegisterFormats = {
  architecture: "x86",
  modes: ["none", "4-level", "5-level", "pae", "32-bit"],
  recognizes: areX86Registers,
  printed: parseRegisters,
  stub: STUB,
  dumpMachines: [3, 62],
  dumped: registersOfNote,
  dumpNotice: "a dump does not hold EFER: NX is taken to be on",
  // Without PCID or cache bits, and without LAM's.
  rootOf: ({ cr3 }: CpuRegisters) => cr3 & 0x000f_ffff_ffff_f000n,
  contextOf: vcpuContext,
  needsPeers: ({ eferAssumed }: CpuRegisters) => eferAssumed === true,
  contextOfMode: (mode, options) =>
    pagingContext(assumedRegisters(mode as PagingModeName), options),
  checkRoot(root: AddressLike, { mode }: Regime) {
    checkRoot(root, mode as PagingModeName);
  },
};
