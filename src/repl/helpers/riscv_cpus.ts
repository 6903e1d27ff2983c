import { riscvRegimeOf } from "../../arch/riscv/hart_regime.ts";
import type { RiscvPrivilege, RiscvRegisters } from "../../arch/riscv/registers.ts";
import type { Style } from "../../report/style.ts";
import type { NoTables } from "../../translate/no_tables.ts";
import { type Cell, cell, columns, numberCell } from "../show/columns.ts";
import { groupHex } from "../show/group_hex.ts";
import { STATES } from "./cpu_states.ts";

/** One hart in few words. */
export interface HartSummary {
  readonly cpu: number;
  readonly mode: string;
  /** The physical address of the top table. */
  readonly root: bigint;
  readonly satp: bigint;
  readonly privilege?: RiscvPrivilege;
  readonly pc: bigint;
  /** Why its tables are no answer, if they are not. */
  readonly noTables?: NoTables;
}

/** The harts of a guest in few words. */
export function summariseHarts(all: readonly RiscvRegisters[]): HartSummary[] {
  return all.map((registers) => {
    const { cpu, satp, pc, privilege } = registers;
    const { mode, root, noTables } = riscvRegimeOf(registers);
    return {
      cpu,
      mode,
      root,
      satp,
      pc,
      ...privilege && { privilege },
      ...noTables && { noTables },
    };
  });
}

/** Writes them as a table. */
export function hartsText(rows: readonly HartSummary[], style: Style): string {
  const heads = ["hart", "state", "priv", "mode", "root", "satp", "pc"];
  const table = rows.map(({ cpu, mode, root, satp, privilege = "", pc, noTables }) => [
    ...[String(cpu), noTables ? STATES[noTables.kind] : "translates", privilege, mode],
    ...[groupHex(root), groupHex(satp), groupHex(pc)],
  ]);
  return columns([heads, ...table].map((texts, line) =>
    texts.map((text, column): Cell => {
      const paint = line === 0 ? style.faint : column === 4 ? style.value : undefined;
      return column === 0 ? numberCell(text, paint) : cell(text, paint);
    })
  ));
}
