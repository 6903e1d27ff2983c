import type { NoTables } from "../../translate/no_tables.ts";
import { pagingContext, type PagingModeName } from "../../arch/x86/paging_context.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import type { CpuRegisters } from "../../arch/x86/registers.ts";
import type { Style } from "../../report/style.ts";
import type { Helper } from "../helper.ts";
import { isRiscv } from "../is_riscv.ts";
import { symbolText, tasksOf } from "../linux.ts";
import type { RunningTask } from "../../linux/running_tasks.ts";
import { escapeText } from "../../core/escape.ts";
import { type Cell, cell, columns, numberCell } from "../show/columns.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";
import { STATES } from "./cpu_states.ts";
import { hartsText, summariseHarts } from "./riscv_cpus.ts";

/** One vCPU in few words. */
export interface CpuSummary {
  readonly cpu: number;
  readonly mode: PagingModeName;
  /** The page-table root: CR3 without PCID or cache bits. */
  readonly root: bigint;
  readonly cr3: bigint;
  readonly cpl: number;
  readonly rip: bigint;
  readonly halted: boolean;
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
  purpose: "every vCPU: mode, root, CPL, RIP, and which share a root",
  notes: ["After linux(), ps() or pid(), each vCPU's task is shown, too."],
  example: `
> cpus()
cpu  state    mode     root        CR3         CPL  RIP                    same root
  0  running  4-level  0x510_0000  0x510_0000    3  0x40_15bd
  1  halted   4-level  0x500_0000  0x500_0000    0  0xffff_ffff_81a1_7a0b
`,
  create: (repl) => async () => {
    const registers = await repl.guest.use((session) => session.allRegisters<GuestRegisters>());
    if (registers.every(isRiscv)) return showAs(summariseHarts(registers), hartsText);
    const all = registers.filter((each): each is CpuRegisters => !isRiscv(each));
    const symbols = await Promise.all(all.map(({ rip }) => symbolText(repl.guest, rip)));
    const tasks = await tasksOf(repl.guest, all.length);
    return showAs(summarise(all, tasks), (rows, style) => cpusText(rows, style, symbols));
  },
};

function summarise(
  all: readonly CpuRegisters[],
  tasks: readonly RunningTask[],
): CpuSummary[] {
  const rows = all.map((registers) => ({ registers, context: pagingContext(registers) }));
  return rows.map((
    { registers: { cpu, cr3, cpl, rip, halted }, context: { mode, root, noTables } },
  ) => ({
    cpu,
    mode,
    root,
    cr3,
    cpl,
    rip,
    halted,
    ...noTables && { noTables },
    ...tasks[cpu] && { task: tasks[cpu] },
    sharesRootWith: rows
      .filter((other) => noTables === undefined && other.context.noTables === undefined)
      .filter((other) => other.registers.cpu !== cpu && other.context.root === root)
      .map((other) => other.registers.cpu),
  }));
}

function cpusText(
  rows: readonly CpuSummary[],
  style: Style,
  symbols: readonly (string | null)[],
): string {
  const hasTasks = rows.some(({ task }) => task !== undefined);
  const heads = ["cpu", "state", "mode", "root", "CR3", "CPL", "RIP", "same root"];
  if (hasTasks) heads.push("task");
  const isNumber = (column: number) => column === 0 || column === 5;
  const table = rows.map((row, i) => [
    String(row.cpu),
    row.noTables ? STATES[row.noTables.kind] : row.halted ? "halted" : "running",
    row.mode,
    groupHex(row.root),
    groupHex(row.cr3),
    String(row.cpl),
    [groupHex(row.rip), ...symbols[i] ? [symbols[i]] : []].join(" "),
    row.sharesRootWith.map((cpu) => `cpu${cpu}`).join(" "),
    ...hasTasks ? [row.task ? `${row.task.tid} ${escapeText(row.task.comm)}` : ""] : [],
  ]);
  return columns([heads, ...table].map((texts, line) =>
    texts.map((text, column): Cell => {
      const paint = line === 0 ? style.faint : column === 3 ? style.value : undefined;
      return isNumber(column) ? numberCell(text, paint) : cell(text, paint);
    })
  ));
}
