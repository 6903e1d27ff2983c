import { escapeText } from "../core/escape.ts";
import type { LinuxOpenFile } from "../linux/files/open_files_of.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import { completeLineOptions, type LineOptions } from "./line_options.ts";

/** Whose file it is. */
export type ProcessOfFile = Pick<LinuxProcess, "pid" | "comm">;

/**
 * The head of the columns that {@linkcode openFileLine} writes.
 *
 * @example Usage
 * ```ts
 * import { openFilesHead } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(openFilesHead(), "    PID NAME               FD TYPE              PATH");
 * ```
 */
export function openFilesHead(): string {
  return row("PID", "NAME", "FD", "TYPE", "PATH");
}

/**
 * Writes an open file of a process as a line: the process, the file's number in it, what it is, its path.
 *
 * @example Usage
 * ```ts
 * import { openFileLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const device = { major: 10, minor: 196 };
 * const file = { fd: 5, path: "/dev/vfio/vfio", kind: "character device", device } as const;
 * assertEquals(
 *   openFileLine({ pid: 84, comm: "target" }, file),
 *   "     84 target              5 char 10:196       /dev/vfio/vfio",
 * );
 * ```
 */
export function openFileLine(
  { pid, comm }: ProcessOfFile,
  { fd, path, kind, device }: LinuxOpenFile,
  options: LineOptions = {},
): string {
  const { style } = completeLineOptions(options);
  const number = device === null ? "" : ` ${device.major}:${device.minor}`;
  const what = `${escapeText(kind.replace(/^(char|block).* device$/, "$1"))}${number}`;
  const name = path === null ? style.faint("(cannot be read)") : escapeText(path);
  return row(String(pid), escapeText(comm), String(fd), what, name);
}

function row(pid: string, comm: string, fd: string, kind: string, path: string): string {
  return `${pid.padStart(7)} ${comm.padEnd(15)} ${fd.padStart(5)} ${kind.padEnd(17)} ${path}`;
}
