import type { ReadOptions } from "../memory/physical_memory.ts";
import type { LinuxGuest } from "./linux_guest.ts";
import type { LinuxProcess } from "./processes.ts";
import type { KernelArea } from "../translate/kernel_layout.ts";
import type { MemoryArea } from "./memory_area.ts";
import { viewOf } from "./reader.ts";

/** A part of an address space that has a name. */
export interface AddressRegion {
  /** The first linear address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** What it is called: `heap`, a file's path, `direct map`. The guest can choose names of files. */
  readonly name: string;
}

/**
 * Names the parts of an address space, in address order: a process's memory areas, those of one file
 * that lie together as one, and the kernel's parts as far as its variables tell where they are.
 *
 * @param process whose areas they are; null for the kernel's half alone
 * @throws {CapabilityError} if the kernel does not tell how areas are laid out
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { addressRegions } from "@pagewalk/pagewalk/linux";
 *
 * async function printRegions(monitor: string, pid: number): Promise<void> {
 *   await using guest = await connect(monitor);
 *   const linux = await guest.linux();
 *   for (const { start, name } of await addressRegions(linux, await linux.process(pid))) {
 *     console.log(start.toString(16), name);
 *   }
 * }
 * ```
 */
export async function addressRegions(
  linux: LinuxGuest,
  process: LinuxProcess | null,
  options: ReadOptions = {},
): Promise<AddressRegion[]> {
  const hasAreas = process !== null && process.root !== null;
  const areas = hasAreas ? await linux.vmas(process, options) : [];
  return [...regionsOfAreas(areas), ...await kernelRegions(linux)];
}

/** One region for what a file or a name has side by side. */
function regionsOfAreas(areas: readonly MemoryArea[]): AddressRegion[] {
  const regions: AddressRegion[] = [];
  for (const { start, end, name: written } of areas) {
    const name = written === "" ? "anonymous" : written;
    const last = regions.at(-1);
    if (last !== undefined && last.end === start && last.name === name) {
      regions[regions.length - 1] = { ...last, end };
    } else regions.push({ start, end, name });
  }
  return regions;
}

async function kernelRegions(linux: LinuxGuest): Promise<AddressRegion[]> {
  const regions = await Promise.all(
    (linux.context.rules.kernel.areas ?? []).map(async ({ name, start, end }) => {
      const [first, last] = await Promise.all([placeOf(linux, start), placeOf(linux, end)]);
      return first === null || last === null || last <= first
        ? []
        : [{ start: first, end: last, name }];
    }),
  );
  return regions.flat().sort((a, b) => a.start < b.start ? -1 : 1);
}

async function placeOf(
  linux: LinuxGuest,
  place: KernelArea["start"],
): Promise<bigint | null> {
  if (typeof place === "bigint") return place;
  const [, isValue, name] = /^(\*?)(.*)$/.exec(place)!;
  const symbol = await linux.symbol(name!);
  if (symbol === null || isValue === "") return symbol?.address ?? null;
  return viewOf(await linux.read(symbol.address, 8)).getBigUint64(0, true);
}
