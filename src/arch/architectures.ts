import type { Architecture, RegisterFormats } from "./architecture.ts";
import { RISCV } from "./riscv/architecture.ts";
import { RISCV_REGISTERS } from "./riscv/register_formats.ts";
import type { GuestRegisters } from "./registers.ts";
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
  RISCV_REGISTERS,
];

/** How registers like these are told. */
export function formatsOf(registers: GuestRegisters): RegisterFormats {
  const name = "architecture" in registers ? registers.architecture : ARCHITECTURES[0].name;
  return formatsByName(name);
}

/** How the registers of a regime's architecture are told. */
export function formatsByName(name: string): RegisterFormats {
  return REGISTER_FORMATS.find(({ architecture }) => architecture === name) ?? REGISTER_FORMATS[0];
}
