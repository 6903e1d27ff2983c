import type { MemoryRange } from "../../memory/memory_map.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { parseMemoryMap } from "../parse/memory_map.ts";
import { type GuestStatus, parseStatus } from "../parse/status.ts";

/**
 * Reads where the guest has RAM and ROM (`info mtree -f`), in address order.
 *
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readMemoryMap } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const [first] = await readMemoryMap(guest.monitor);
 * assertEquals([first?.start, first?.kind], [0n, "ram"]);
 * ```
 */
export async function readMemoryMap(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<MemoryRange[]> {
  return parseMemoryMap(await monitor.command("info mtree -f", options));
}

/**
 * Says whether the guest runs (`info status`).
 *
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readStatus } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals((await readStatus(guest.monitor)).running, true);
 * ```
 */
export async function readStatus(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<GuestStatus> {
  return parseStatus(await monitor.command("info status", options));
}
