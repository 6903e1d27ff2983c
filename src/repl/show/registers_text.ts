import { CR0, CR4, EFER } from "../../arch/x86/control_bits.ts";
import { pagingMode } from "../../arch/x86/paging_context.ts";
import type { CpuRegisters } from "../../arch/x86/registers.ts";
import type { Style } from "../../report/style.ts";
import { cell, columns } from "./columns.ts";
import { groupHex } from "./group_hex.ts";

/** Writes the registers that paging depends on, control bits named, and RIP's symbol if it is known. */
export function registersText(registers: CpuRegisters, style: Style, symbol = ""): string {
  const { cpu, rip, rflags, cpl, cr0, cr2, cr3, cr4, efer, halted } = registers;
  const rows: [name: string, value: bigint, meaning: string][] = [
    ["RIP", rip, symbol],
    ["RFLAGS", rflags, namedBits(rflags, { AC: 1n << 18n })],
    ["CR0", cr0, namedBits(cr0, CR0)],
    ["CR2", cr2, "address of the last page fault"],
    ["CR3", cr3, "page-table root, with PCID or cache bits"],
    ["CR4", cr4, namedBits(cr4, CR4)],
    ["EFER", efer, namedBits(efer, EFER)],
  ];
  const mode = pagingMode(registers);
  const paging = mode === "none" ? "paging off" : `${mode} paging`;
  const state = `CPL ${cpl}, ${paging}${halted ? ", halted" : ""}${registers.smm ? ", SMM" : ""}`;
  const table = columns(
    rows.map(([name, value, meaning]) => [
      cell(name),
      cell(groupHex(value), style.value),
      cell(meaning, style.faint),
    ]),
  );
  return `${style.strong(`vCPU ${cpu}`)}: ${state}\n${table}`;
}

function namedBits(value: bigint, bits: Readonly<Record<string, bigint>>): string {
  return Object.entries(bits).filter(([, bit]) => value & bit).map(([name]) => name).join(" ");
}
