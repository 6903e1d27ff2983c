import type { Architecture, RegisterFormats } from "./architecture.ts";
import { RISCV } from "./riscv/architecture.ts";
import { X86 } from "./x86/architecture.ts";
import { X86_REGISTERS } from "./x86/register_formats.ts";

/** The architectures that are known, a row each. What names none is of the first one. */
export const ARCHITECTURES: readonly [Architecture, ...Architecture[]] = [
  X86,
  RISCV,
];

/** How their registers are told, a row each. */
export const REGISTER_FORMATS: readonly [RegisterFormats, ...RegisterFormats[]] = [
  X86_REGISTERS,
];
