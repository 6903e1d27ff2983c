import { whyNoRoot } from "../../arch/riscv/hart_state.ts";
import { rootRegister } from "../../arch/riscv/modes.ts";
import { ENVCFG, type RiscvRegisters, STATUS } from "../../arch/riscv/registers.ts";
import type { Style } from "../../report/style.ts";
import { cell, columns } from "./columns.ts";
import { groupHex } from "./group_hex.ts";

/** Writes the registers of a RISC-V hart that translation depends on, those that were told. */
export function riscvRegistersText(registers: RiscvRegisters, style: Style, symbol = ""): string {
  const { cpu, xlen, pc, satp, mstatus, vsatp, hgatp, menvcfg, privilege, virtualized } = registers;
  const rows: [name: string, value: bigint | undefined, meaning: string][] = [
    ["pc", pc, symbol],
    ["satp", satp, virtualized ? "the inner guest's (V=1)" : rootText(satp, xlen)],
    ["mstatus", mstatus, namedBits(mstatus, STATUS)],
    ["menvcfg", menvcfg, namedBits(menvcfg ?? 0n, ENVCFG)],
    ["vsatp", vsatp, rootText(vsatp ?? 0n, xlen)],
    ["hgatp", hgatp, rootText(hgatp ?? 0n, xlen, "x4")],
  ];
  const why = whyNoRoot(registers);
  const { mode } = rootRegister(satp, xlen);
  const state = [
    `${xlen} bits`,
    privilege ? `privilege ${privilege}` : "privilege not told",
    why === null
      ? mode
      : why.kind === "pagingOff"
      ? "no translation"
      : "not on this guest's tables",
  ].join(", ");
  const table = columns(
    rows.flatMap(([name, value, meaning]) =>
      value === undefined
        ? []
        : [[cell(name), cell(groupHex(value), style.value), cell(meaning, style.faint)]]
    ),
  );
  return `${style.strong(`hart ${cpu}`)}: ${state}\n${table}`;
}

function rootText(value: bigint, xlen: 32 | 64, suffix = ""): string {
  const { mode, root } = rootRegister(value, xlen);
  return mode === null ? "no translation" : `${mode}${suffix}, root ${groupHex(root)}`;
}

function namedBits(value: bigint, bits: Readonly<Record<string, bigint>>): string {
  return Object.entries(bits).filter(([, bit]) => value & bit).map(([name]) => name).join(" ");
}
