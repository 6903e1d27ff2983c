import type { Architecture } from "../architecture.ts";
import { RISCV_ACCESS } from "./access.ts";
import { riscvRegimeFrom } from "./hart_regime.ts";
import { RISCV_REGISTERS } from "./register_formats.ts";
import { RISCV_NAMES } from "./register_names.ts";

/** RISC-V, 32 and 64 bits. */
export const RISCV: Architecture = {
  name: "riscv",
  targets: ["riscv64", "riscv32"],
  registers: RISCV_REGISTERS,
  names: RISCV_NAMES,
  access: RISCV_ACCESS,
  regimeFrom: riscvRegimeFrom,
};
