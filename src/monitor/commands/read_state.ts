import { ReplyParseError } from "../errors.ts";
import type { MemoryRange } from "../../memory/physical_memory.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";

/** Whether the guest runs. */
export interface GuestStatus {
  /** True while the vCPUs run. */
  running: boolean;
  /** QEMU's reason for a pause, such as `prelaunch` or `inmigrate`; empty if it gives none. */
  detail: string;
}

/**
 * Reads `info status`: `VM status: running`, `VM status: paused (prelaunch)`. Up to 7.2 at least
 * `(single step mode)` may stand between the two.
 *
 * @throws {ReplyParseError} if it is not of that form
 */
export function parseStatus(reply: string): GuestStatus {
  const text = reply.trim();
  const match = /^VM status: (running|paused)(?: \(single step mode\))?(?: \(([^)]*)\))?$/.exec(
    text,
  );
  if (match === null) throw new ReplyParseError("info status", text, '"VM status: running"');
  return { running: match[1] === "running", detail: match[2] ?? "" };
}

/**
 * Which of QEMU's words for a region (`memory_region_type` in its memory.c) stand for memory that a
 * read takes from host memory, without asking a device.
 */
const KINDS: Readonly<Record<string, MemoryRange["kind"] | null>> = {
  ram: "ram",
  rom: "rom",
  // A flash chip while it is read as plain memory, as OVMF's is. Once the guest sends it a command QEMU
  // lists it as i/o, so what is listed as romd is as good as ROM.
  romd: "rom",
  // A real device's memory, mapped into the guest by VFIO: reading it reads the device.
  ramd: null,
  "i/o": null,
  // Unclaimed space (11.1 and later).
  container: null,
};

const SYSTEM = /^ AS "memory",/m;
const ROW = /^ {2}([0-9a-f]{8,16})-([0-9a-f]{8,16}) \(prio -?\d+, (?:nv-)?([^)]+)\): (.*)$/;

/**
 * Reads `info mtree -f` and returns the guest's RAM and ROM in address order: the rows of the flat view
 * that serves the address space `memory`, whichever number it has. A row is
 * `  00000000000c0000-00000000000c9fff (prio 0, rom): pc.ram @00000000000c0000`, its end included,
 * `nv-` before the type of non-volatile memory (`mtree_print_flatview`, 5.2 to 11.1).
 *
 * @throws {ReplyParseError} if there is no such view, or one of its rows is not understood
 */
export function parseMemoryMap(reply: string): MemoryRange[] {
  const view = reply.split(/^(?=FlatView #)/m).find((section) => SYSTEM.test(section));
  if (view === undefined) {
    throw new ReplyParseError("info mtree -f", reply, 'a FlatView of AS "memory"');
  }
  return view.split("\n").filter((line) => /^ {2}[0-9a-f]/.test(line)).flatMap(parseRow);
}

function parseRow(line: string): MemoryRange[] {
  const [, start, last, type, named] = ROW.exec(line) ?? [];
  const kind = type === undefined ? undefined : KINDS[type];
  if (kind === undefined) {
    throw new ReplyParseError("info mtree -f", line, `a row of ${Object.keys(KINDS).join(", ")}`);
  }
  if (kind === null) return [];
  const [, name, offset] = /^(.*?)(?: @([0-9a-f]+))?$/.exec(named!)!;
  return [{
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${last}`) + 1n,
    kind,
    name: name!,
    offset: BigInt(`0x${offset ?? "0"}`),
  }];
}

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
