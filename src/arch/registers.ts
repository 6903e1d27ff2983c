import type { RiscvRegisters } from "./riscv/registers.ts";
import type { CpuRegisters } from "./x86/registers.ts";

/** The registers of one vCPU that address translation depends on, of any architecture. */
export type GuestRegisters = CpuRegisters | RiscvRegisters;
