import { escapeText } from "../core/escape.ts";
import type { ElfProcess } from "../elf_kernel/elf_kernel.ts";
import { completeLineOptions, type LineOptions } from "./line_options.ts";

/** An address as long as any root on a machine of 64 GiB. */
const LONG_ROOT = 0xf_ffff_f000n;

/**
 * The head of the columns that {@linkcode elfProcessLine} writes.
 *
 * @example Usage
 * ```ts
 * import { elfProcessesHead } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(elfProcessesHead(), "    PID STATE          SIZE ROOT        NAME");
 * ```
 */
export function elfProcessesHead(options: LineOptions = {}): string {
  return row(["PID", "STATE", "SIZE", "ROOT", "NAME"], options);
}

/**
 * Writes a process of xv6, or of a kernel like it, as a line: its id, its state, how much memory it has,
 * the root of its page table, and its name.
 *
 * @example Usage
 * ```ts
 * import { elfProcessLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const process = { pid: 2, state: "SLEEPING", comm: "sh", sizeBytes: 0x6000n } as const;
 * assertEquals(
 *   elfProcessLine({ ...process, root: 0x87f6_3000n, address: 0x8000_9000n }),
 *   "      2 SLEEPING     0x6000 0x87f63000  sh",
 * );
 * ```
 */
export function elfProcessLine(process: ElfProcess, options: LineOptions = {}): string {
  const { pid, state, sizeBytes, comm, root } = process;
  const { address } = completeLineOptions(options);
  const size = sizeBytes === null ? "-" : address(sizeBytes);
  const table = root === null ? "-" : address(root);
  return row([String(pid), escapeText(state), size, table, escapeText(comm)], options);
}

function row(
  [pid, state, size, root, name]: readonly [string, string, string, string, string],
  options: LineOptions,
): string {
  const { address } = completeLineOptions(options);
  const width = address(LONG_ROOT).length;
  return `${pid.padStart(7)} ${state.padEnd(8)} ${size.padStart(10)} ${root.padEnd(width)} ${name}`
    .trimEnd();
}
