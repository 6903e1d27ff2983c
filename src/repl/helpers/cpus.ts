import type { NoTables } from "../../translate/no_tables.ts";
import { architectureOf } from "../../arch/architectures.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import type { RegisterNames } from "../../arch/register_names.ts";
import type { Style } from "../../report/style.ts";
import type { Helper } from "../helper.ts";
import { symbolText, tasksOf } from "../linux.ts";
import type { RunningTask } from "../../linux/running_tasks.ts";
import { escapeText } from "../../core/escape.ts";
import { type Cell, cell, columns, numberCell } from "../show/columns.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";
import { STATES } from "./cpu_states.ts";

/** One vCPU in few words, with what its architecture adds: on x86 `cr3`, `cpl`, `rip`, `halted`. */
export interface CpuSummary extends Readonly<Record<string, unknown>> {
  readonly cpu: number;
  readonly mode: string;
  /** The physical address of the top table. */
  readonly root: bigint;
  /** Whether it waits for an interrupt, where that is told. */
  readonly halted?: boolean;
  /** Why its tables are not an answer, if they are not. */
  readonly noTables?: NoTables;
  /** What it runs, once the guest's Linux is known. */
  readonly task?: RunningTask;
  /** The other vCPUs on the same root. */
  readonly sharesRootWith: readonly number[];
}

/** `cpus()`. */
export const CPUS: Helper = {
  name: "cpus",
  usage: "cpus()",
  purpose: "every vCPU: mode, root, privilege, and which share a root",
  notes: ["After linux(), ps() or pid(), each vCPU's task is shown, too."],
  example: `
> cpus()
cpu  state    mode     root        CR3         CPL  RIP                    same root
  0  running  4-level  0x510_0000  0x510_0000    3  0x40_15bd
  1  halted   4-level  0x500_0000  0x500_0000    0  0xffff_ffff_81a1_7a0b
`,
  create: (repl) => async () => {
    const all = await repl.guest.use((session) => session.allRegisters<GuestRegisters>());
    const { names } = architectureOf(all[0]!);
    const [tasks, symbols] = await Promise.all([
      tasksOf(repl.guest, all.length),
      Promise.all(all.map((each) => symbolText(repl.guest, names.nextInstruction(each)))),
    ]);
    return showAs(
      summarise(all, tasks),
      (rows, style) => cpusText(rows, names, style, symbols),
    );
  },
};

/** The vCPUs of a guest in few words. */
export function summarise(
  all: readonly GuestRegisters[],
  tasks: readonly RunningTask[] = [],
): CpuSummary[] {
  const rows = all.map((registers) => {
    const { registers: formats, names } = architectureOf(registers);
    return { cpu: registers.cpu, own: names.summary(registers), ...formats.regimeOf(registers) };
  });
  return rows.map(({ cpu, own, mode, root, noTables }) => ({
    ...{ cpu, mode, root, ...own },
    ...noTables && { noTables },
    ...tasks[cpu] && { task: tasks[cpu] },
    sharesRootWith: rows
      .filter((other) => noTables === undefined && other.noTables === undefined)
      .filter((other) => other.cpu !== cpu && other.root === root)
      .map((other) => other.cpu),
  }));
}

/** Writes them as a table. */
export function cpusText(
  rows: readonly CpuSummary[],
  names: RegisterNames,
  style: Style,
  symbols: readonly (string | null)[] = [],
): string {
  const hasTasks = rows.some(({ task }) => task !== undefined);
  const own = names.columns;
  const heads = [names.head, "state", "mode", "root", ...own.map(({ head }) => head), "same root"];
  if (hasTasks) heads.push("task");
  const table = rows.map((row, i) => [
    String(row.cpu),
    row.noTables ? STATES[row.noTables.kind] : row.halted ? "halted" : "running",
    row.mode,
    groupHex(row.root),
    ...own.map(({ field }, column) => {
      const symbol = column === own.length - 1 ? symbols[i] : null;
      return [valueText(row[field]), ...symbol ? [symbol] : []].join(" ");
    }),
    row.sharesRootWith.map((cpu) => `cpu${cpu}`).join(" "),
    ...hasTasks ? [row.task ? `${row.task.tid} ${escapeText(row.task.comm)}` : ""] : [],
  ]);
  const isNumber = (column: number) => column === 0 || own[column - 4]?.isNumber;
  return columns([heads, ...table].map((texts, line) =>
    texts.map((text, column): Cell => {
      const paint = line === 0 ? style.faint : column === 3 ? style.value : undefined;
      return isNumber(column) ? numberCell(text, paint) : cell(text, paint);
    })
  ));
}

function valueText(value: unknown): string {
  return typeof value === "bigint" ? groupHex(value) : value === undefined ? "" : String(value);
}
