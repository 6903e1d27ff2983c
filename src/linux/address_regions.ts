import type { LinuxGuest } from "./linux_guest.ts";
import type { KernelArea } from "../translate/kernel_layout.ts";
import type { MemoryArea } from "./memory_area.ts";
import { viewOf } from "./reader.ts";

/** What of a kernel tells its regions. */
export type RegionKernel = Pick<LinuxGuest, "context" | "read" | "symbol">;

/** A part of an address space that has a name. */
export interface AddressRegion {
  /** The first linear address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** What it is called: `heap`, a file's path, `direct map`. The guest can choose names of files. */
  readonly name: string;
}

/** Names the parts of an address space: see `LinuxGuest.regions()`. */
export async function readRegions(
  linux: RegionKernel,
  areas: readonly MemoryArea[],
): Promise<AddressRegion[]> {
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

async function kernelRegions(linux: RegionKernel): Promise<AddressRegion[]> {
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
  linux: RegionKernel,
  place: KernelArea["start"],
): Promise<bigint | null> {
  if (typeof place === "bigint") return place;
  const [, isValue, name] = /^(\*?)(.*)$/.exec(place)!;
  const symbol = await linux.symbol(name!);
  if (symbol === null || isValue === "") return symbol?.address ?? null;
  return viewOf(await linux.read(symbol.address, 8)).getBigUint64(0, true);
}
