import type { GuestRegisters } from "../arch/registers.ts";
import type { RiscvRegisters } from "../arch/riscv/registers.ts";

/** Whether registers are a RISC-V hart's. */
export function isRiscv(registers: GuestRegisters): registers is RiscvRegisters {
  return "architecture" in registers && registers.architecture === "riscv";
}
