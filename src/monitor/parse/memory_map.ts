import type { MemoryRange } from "../../memory/memory_map.ts";
import { ReplyParseError } from "../errors.ts";

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
