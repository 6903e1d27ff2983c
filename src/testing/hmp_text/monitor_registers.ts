import type { QemuFlavour } from "./flavours.ts";
import { type CpuState, SEGMENT_NAMES } from "./machine.ts";

// The order of CpuState.general.
const NAMES = ["ax", "bx", "cx", "dx", "si", "di", "bp", "sp"];

/**
 * Returns the value of `$name` in an expression: QEMU's own short list, and since 11.1 also the
 * registers that the gdbstub names.
 */
export function registerValue(
  name: string,
  cpu: CpuState,
  flavour: QemuFlavour,
): bigint | undefined {
  const own = ownRegister(name, cpu);
  return own ?? (flavour.registerExpressions ? gdbRegister(name, cpu) : undefined);
}

function ownRegister(name: string, cpu: CpuState): bigint | undefined {
  if (name === "eip" || name === "pc") return cpu.rip;
  if (name === "eflags") return cpu.rflags & 0xffff_ffffn;
  const index = name.startsWith("e") ? NAMES.indexOf(name.slice(1)) : -1;
  if (index >= 0) return cpu.general[index];
  const segment = SEGMENT_NAMES.find((segment) => segment.toLowerCase() === name);
  if (segment !== undefined && segment.length === 2 && segment !== "TR") {
    return BigInt(cpu.segments[segment].selector);
  }
  const [, number] = /^r([89]|1[0-5])$/.exec(name) ?? [];
  return number === undefined ? undefined : cpu.general[Number(number)];
}

function gdbRegister(name: string, cpu: CpuState): bigint | undefined {
  switch (name) {
    case "rip":
      return cpu.rip;
    case "cr0":
      return cpu.cr0;
    case "cr2":
      return cpu.cr2;
    case "cr3":
      return cpu.cr3;
    case "cr4":
      return cpu.cr4;
    case "efer":
      return cpu.efer;
  }
  const index = name.startsWith("r") ? NAMES.indexOf(name.slice(1)) : -1;
  return index < 0 ? undefined : cpu.general[index];
}
