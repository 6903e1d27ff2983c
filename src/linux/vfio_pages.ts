import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { Regime } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import { walkMany, type WalkManyOptions } from "../translate/walk_many.ts";
import type { VfioLogRecord } from "./vfio_log_record.ts";

/** A process, and how its tables are walked. */
export interface PageOwner<P> {
  /** The process. */
  readonly process: P;
  /** The mode and root of its tables. */
  readonly context: Regime;
}

/** What one process has at an address. */
export interface OwnedPage<P> {
  /** The process. */
  readonly process: P;
  /** The walk through its tables; it says whether they changed between two looks. */
  readonly walk: Walk;
}

/** What processes have at the address that a record names. */
export interface LoggedPage<P> {
  /** What the log says of the address. */
  readonly record: VfioLogRecord;
  /**
   * All processes that map it, or whose tables do not tell, each address space once. If only one
   * process was looked at, that one, whatever it has there.
   */
  readonly candidates: readonly OwnedPage<P>[];
}

/** So many records are looked for at once in all processes: each has a few walks to remember. */
const BATCH = 1 << 14;

/**
 * Finds for each record of a log the processes that map its address: the log names an address only, and
 * each process has its own memory there. What it costs grows with the tables, not with pages times
 * processes.
 *
 * @throws whatever the memory throws but a `MemoryReadError`
 */
export async function* findLoggedPages<P>(
  memory: PhysicalMemory,
  owners: readonly PageOwner<P>[],
  records: readonly VfioLogRecord[],
  options: WalkManyOptions = {},
): AsyncGenerator<LoggedPage<P>, void> {
  const spaces = [...new Map(owners.map((owner) => [owner.context.root, owner])).values()];
  for (let start = 0; start < records.length; start += BATCH) {
    const batch = records.slice(start, start + BATCH);
    const addresses = batch.flatMap(({ address, problem }) =>
      address === null || problem !== undefined ? [] : [address]
    );
    const found = new Map<bigint, OwnedPage<P>[]>(addresses.map((address) => [address, []]));
    for (const { process, context } of spaces) {
      for (const page of await walkMany(memory, context, [...found.keys()], options)) {
        const isAbsent = page.outcome === "notPresent" || page.outcome === "nonCanonical";
        // Of one process alone it is told, too, how a walk ends that finds no page.
        if (!isAbsent || spaces.length === 1) {
          found.get(page.address)!.push({ process, walk: page });
        }
      }
    }
    for (const record of batch) {
      yield { record, candidates: found.get(record.address ?? -1n) ?? [] };
    }
  }
}
