import type { Architecture } from "./architecture.ts";
import { RISCV } from "./riscv/architecture.ts";
import { X86 } from "./x86/architecture.ts";

/** The architectures that are known, a row each. What names none is of the first one. */
export const ARCHITECTURES: readonly [Architecture, ...Architecture[]] = [
  X86,
  RISCV,
];
