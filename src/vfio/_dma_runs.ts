import type { IommuDevice } from "../iommu/iommu_device.ts";
import { deviceMappings } from "../iommu/reach.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { type MappingRecord, mappings } from "../translate/mappings.ts";
import type { Regime } from "../translate/regime.ts";
import type { LeafRights } from "../translate/rights.ts";

/** Neighbouring pages whose frames are neighbours too, or addresses of which nothing is known. */
export interface Run {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last one. */
  readonly end: bigint;
  /** The first guest-physical address; null if it is not known what is mapped. */
  readonly physical: bigint | null;
  /** What the last entries say. */
  readonly leaf?: Pick<LeafRights, "user">;
  /** What all levels allow. */
  readonly read: boolean;
  readonly write: boolean;
}

/** 4 GiB of scattered pages: tables full of junk are not to fill the memory. */
const MAX_RUNS = 1 << 20;

/** Lists the runs of an address space, or of a part of it, each table read twice. */
export async function readRuns(
  memory: PhysicalMemory,
  regime: Regime,
  range: AddressRange,
  options: ReadOptions,
): Promise<Run[]> {
  return await runsOf(mappings(memory, regime, range, { ...LIST, ...options }));
}

/** The same of what a device reaches. */
export async function readReach(
  memory: PhysicalMemory,
  device: IommuDevice,
  options: ReadOptions,
): Promise<Run[]> {
  return await runsOf(deviceMappings(memory, device, {}, { ...LIST, ...options }));
}

const LIST = { contiguous: true, expandShared: true, recheck: true };

async function runsOf(records: AsyncIterable<MappingRecord>): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const record of records) {
    const place = {
      start: record.address,
      end: record.address + BigInt(record.lengthBytes),
    };
    if (runs.length === MAX_RUNS) {
      // What follows is not known.
      runs.push({ ...place, end: 1n << 64n, physical: null, read: false, write: false });
      break;
    }
    if (record.kind !== "mapping") {
      runs.push({ ...place, physical: null, read: false, write: false });
      continue;
    }
    const { physicalAddress: physical, leaf, effective } = record;
    const { readable: read = true, writable: write } = effective;
    runs.push({ ...place, physical, leaf, read, write });
  }
  return runs;
}

/** The runs from one address to another, cut to it, with the gaps between them as null. */
export function* cut(
  runs: readonly Run[],
  start: bigint,
  end: bigint,
): Generator<{ start: bigint; end: bigint; run: Run | null }> {
  let at = start;
  for (let i = firstAfter(runs, start); i < runs.length && runs[i]!.start < end; i++) {
    const run = runs[i]!;
    if (run.start > at) yield { start: at, end: run.start, run: null };
    const from = run.start > at ? run.start : at;
    at = run.end < end ? run.end : end;
    const physical = run.physical === null ? null : run.physical + (from - run.start);
    yield { start: from, end: at, run: { ...run, start: from, end: at, physical } };
  }
  if (at < end) yield { start: at, end, run: null };
}

/** The index of the first run that ends after an address. */
function firstAfter(runs: readonly Run[], address: bigint): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle]!.end > address) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether two lists say the same. */
export function sameRuns(one: readonly Run[], other: readonly Run[]): boolean {
  return one.length === other.length && one.every((run, i) => {
    const { start, end, physical, read, write, leaf } = other[i]!;
    return run.start === start && run.end === end && run.physical === physical &&
      run.read === read && run.write === write && run.leaf?.user === leaf?.user;
  });
}
