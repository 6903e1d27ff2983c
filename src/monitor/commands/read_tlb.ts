import type { CommandOptions, Monitor } from "../monitor.ts";
import { parseTlb, type TlbRow } from "../parse/tlb.ts";

/**
 * Lists every page that a vCPU's tables map now, as QEMU sees them (`info tlb`); null with paging off.
 * A whole guest may give 500,000 rows.
 *
 * QEMU does not notice page tables that lead back to themselves: where one top entry leads to a table whose
 * 512 entries lead to itself, it lists for days, and only SIGKILL ends it, and the guest with it. So this
 * needs `allowUnsafe: ["info tlb"]`, here or on the connection, and is for guests that one trusts or can
 * lose. `Session.mappings` lists the same without that risk.
 *
 * @throws {CommandRefusedError} if `info tlb` was not allowed
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readTlb } from "@pagewalk/pagewalk";
 * import { assert } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const rows = await readTlb(guest.monitor, { allowUnsafe: ["info tlb"] });
 * assert(rows?.some((row) => row.user && row.noExecute));
 * ```
 */
export async function readTlb(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<TlbRow[] | null> {
  return parseTlb(await monitor.command("info tlb", options));
}
