import type { Architecture } from "../architecture.ts";
import { riscvRegimeFrom } from "./hart_regime.ts";

/** RISC-V, 32 and 64 bits. */
export const RISCV: Architecture = {
  name: "riscv",
  targets: ["riscv64", "riscv32"],
  regimeFrom: riscvRegimeFrom,
};
