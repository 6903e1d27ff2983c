import type { ReadOptions } from "../memory/physical_memory.ts";
import { addressRegions } from "./address_regions.ts";
import type { LinuxGuest } from "./linux_guest.ts";
import type { MemoryArea } from "./memory_area.ts";
import type { LinuxProcess } from "./processes.ts";

/** A range of addresses, and what is there. */
export interface NamedRange {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** The file's path, a name in brackets, or a kind; of the kernel's part what it is for. */
  readonly name: string;
  /** The memory area, of a process's part. */
  readonly area?: MemoryArea;
}

/**
 * What is where in an address space: ranges in address order that do not overlap.
 *
 * @example Usage
 * ```ts
 * import { AddressNames } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * const names = new AddressNames([{ start: 0x400000n, end: 0x401000n, name: "/bin/target" }]);
 * assertEquals([names.at(0x400fffn)?.name, names.at(0x401000n)], ["/bin/target", null]);
 * ```
 */
export class AddressNames {
  /** The ranges, in address order. */
  readonly ranges: readonly NamedRange[];
  /** Where ranges begin and end. */
  readonly boundaries: ReadonlySet<bigint>;

  /** Takes ranges in any order; where two overlap the one that begins later has what they share. */
  constructor(ranges: readonly NamedRange[]) {
    const sorted = ranges.toSorted((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
    this.ranges = sorted.map((range, i) => {
      const next = sorted[i + 1]?.start ?? range.end;
      return next < range.end ? { ...range, end: next } : range;
    });
    this.boundaries = new Set(this.ranges.flatMap(({ start, end }) => [start, end]));
  }

  /** The range that an address lies in; null if it lies in none. */
  at(address: bigint): NamedRange | null {
    let [low, high] = [0, this.ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ranges[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low - 1];
    return range !== undefined && address < range.end ? range : null;
  }
}

/**
 * Names the parts of an address space: the memory areas of a process, and what the kernel's part is for.
 *
 * @param process whose areas; null for the kernel's part alone
 * @throws {NoSuchProcessError} if the process has no memory
 * @throws {InconsistentListError} if its areas change faster than they can be read
 * @throws {CapabilityError} if the kernel does not tell how they are laid out
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { readAddressNames } from "@pagewalk/pagewalk/linux";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const names = async () => (await readAddressNames(await guest.linux(), null)).ranges;
 * await assertRejects(names, LinuxNotFoundError); // it runs no kernel
 * ```
 */
export async function readAddressNames(
  linux: LinuxGuest,
  process: LinuxProcess | null,
  options: ReadOptions = {},
): Promise<AddressNames> {
  const areas = process === null ? [] : await linux.vmas(process, options);
  return new AddressNames([
    ...areas.map((area) => ({ ...{ start: area.start, end: area.end, area }, name: nameOf(area) })),
    ...await addressRegions(linux, null, options),
  ]);
}

function nameOf({ kind, name }: MemoryArea): string {
  return name === "" ? kind : name;
}
