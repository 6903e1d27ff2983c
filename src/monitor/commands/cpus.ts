import { ReplyParseError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";

/** One row of `info cpus`. */
export interface CpuListing {
  /** The vCPU's number, from 0. */
  cpu: number;
  /** True for the vCPU that the monitor's commands are about. */
  current: boolean;
  /** The host's thread that runs it, or null if QEMU does not say. */
  threadId: number | null;
}

/**
 * Reads `info cpus`. A row is `* CPU #0: thread_id=2022`; 11.1 adds ` model=max`; much older
 * releases print ` pc=0x… (halted)` before the thread. The star marks the monitor's current vCPU.
 *
 * @throws {ReplyParseError} if there is no row, or a line is none
 */
export function parseCpus(reply: string): CpuListing[] {
  const rows = reply.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const match = /^([* ]) CPU #(\d+):(?:.*\bthread_id=(\d+))?/.exec(line);
    if (match === null) throw new ReplyParseError("info cpus", line, '"* CPU #0: thread_id=…"');
    const [, mark, cpu, threadId] = match;
    return {
      cpu: Number(cpu),
      current: mark === "*",
      threadId: threadId === undefined ? null : Number(threadId),
    };
  });
  if (rows.length === 0) throw new ReplyParseError("info cpus", reply, "a row for each vCPU");
  return rows;
}

/**
 * Returns the number of the vCPU that the monitor's commands are about.
 *
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readCurrentCpu } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals(await readCurrentCpu(guest.monitor), 0);
 * ```
 */
export async function readCurrentCpu(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<number> {
  const cpus = parseCpus(await monitor.command("info cpus", options));
  return cpus.find((row) => row.current)?.cpu ?? 0;
}
