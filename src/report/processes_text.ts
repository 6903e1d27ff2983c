import { escapeText } from "../core/escape.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import type { LinuxThread } from "../linux/task_record.ts";
import { completeLineOptions, type LineOptions } from "./line_options.ts";

/** What a line tells of a process. */
export type ProcessOfLine = Pick<
  LinuxProcess,
  "pid" | "state" | "root" | "userRoot" | "comm" | "isKernelThread" | "threadCount"
>;

/** An address as long as any root on a machine of 16 TiB. */
const LONG_ROOT = 0xfff_ffff_f000n;

/**
 * The head of the columns that {@linkcode processLine} writes.
 *
 * @example Usage
 * ```ts
 * import { processesHead } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(processesHead(), "    PID S ROOT          USER ROOT     NAME");
 * ```
 */
export function processesHead(options: LineOptions = {}): string {
  return row(["PID", "S", "ROOT", "USER ROOT", "NAME"], options);
}

/**
 * Writes a process as a line: its id, its state, the roots of its page tables, and its name, a kernel
 * thread's in brackets.
 *
 * @example Usage
 * ```ts
 * import { processLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const process = { pid: 2, state: "S", comm: "kthreadd", isKernelThread: true } as const;
 * assertEquals(
 *   processLine({ ...process, root: null, userRoot: null, threadCount: 1 }),
 *   "      2 S -             -             [kthreadd]",
 * );
 * ```
 */
export function processLine(process: ProcessOfLine, options: LineOptions = {}): string {
  const { pid, state, comm, isKernelThread, threadCount } = process;
  const { address } = completeLineOptions(options);
  const [root, userRoot] = [process.root, process.userRoot].map((at) =>
    at === null ? "-" : address(at)
  );
  const name = isKernelThread ? `[${escapeText(comm)}]` : escapeText(comm);
  const more = threadCount > 1 ? ` (${threadCount} threads)` : "";
  return row([String(pid), escapeText(state), root!, userRoot!, `${name}${more}`], options);
}

/**
 * Writes a thread of a process as a line below that of the process.
 *
 * @example Usage
 * ```ts
 * import { threadLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const thread = { tid: 85, state: "S", comm: "worker" } as const;
 * assertEquals(threadLine(thread).replace(/ +/g, " "), " 85 S worker");
 * ```
 */
export function threadLine(
  { tid, state, comm }: Pick<LinuxThread, "tid" | "state" | "comm">,
  options: LineOptions = {},
): string {
  return row([String(tid), escapeText(state), "", "", escapeText(comm)], options);
}

function row(
  [id, state, root, userRoot, name]: [string, string, string, string, string],
  options: LineOptions,
): string {
  const width = completeLineOptions(options).address(LONG_ROOT).length;
  return `${id.padStart(7)} ${state} ${root.padEnd(width)} ${userRoot.padEnd(width)} ${name}`;
}
