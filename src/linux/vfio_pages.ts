import { levelOf, type Regime, spanAt } from "../translate/regime.ts";
import { CachingMemory } from "../memory/caching_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type Walk, walk } from "../translate/walk.ts";
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
 * each process has its own memory there. A table is read once for all records, and once more to see
 * whether it held still: what it costs grows with the tables, not with pages times processes.
 *
 * @throws whatever the memory throws but a `MemoryReadError`
 */
export async function* findLoggedPages<P>(
  memory: PhysicalMemory,
  owners: readonly PageOwner<P>[],
  records: readonly VfioLogRecord[],
  options: ReadOptions = {},
): AsyncGenerator<LoggedPage<P>, void> {
  const spaces = [...new Map(owners.map((owner) => [owner.context.root, owner])).values()];
  for (let start = 0; start < records.length; start += BATCH) {
    const batch = records.slice(start, start + BATCH);
    const addresses = batch.flatMap(({ address, problem }) =>
      address === null || problem !== undefined ? [] : [address]
    );
    const found = new Map<bigint, OwnedPage<P>[]>(addresses.map((address) => [address, []]));
    const sorted = [...found.keys()].sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
    for (const { process, context } of spaces) {
      for (const page of await walkAll(memory, context, sorted, options)) {
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

/**
 * Walks one process's tables for addresses in ascending order, in two looks: `changedDuringWalk` says
 * whether they agree. An absent entry answers for all addresses below it.
 */
export async function walkAll(
  memory: PhysicalMemory,
  context: Regime,
  addresses: readonly bigint[],
  options: ReadOptions = {},
): Promise<Walk[]> {
  const once = { ...options, recheck: false };
  const first = new CachingMemory(memory);
  const walks: Walk[] = [];
  let absent: { readonly end: bigint; readonly walk: Walk } | null = null;
  for (const address of addresses) {
    if (absent && address < absent.end) {
      walks.push({ ...absent.walk, address });
      continue;
    }
    const found = await walk(first, context, address, once);
    walks.push(found);
    absent = found.outcome === "notPresent" ? { end: endOf(found), walk: found } : null;
  }
  const second = new CachingMemory(memory);
  for (const [i, found] of walks.entries()) {
    if (found.outcome === "notPresent" || found.outcome === "nonCanonical") continue;
    const again = await walk(second, context, found.address, once);
    if (!isSame(found, again)) walks[i] = { ...found, changedDuringWalk: true };
  }
  return walks;
}

/** The first address beyond those that an absent entry answers for. */
function endOf({ address, level, regime }: Walk & { outcome: "notPresent" }): bigint {
  const shift = BigInt(levelOf(regime, level, address)!.format.shift);
  return (address >> shift) + 1n << shift;
}

function isSame(one: Walk, other: Walk): boolean {
  const hardwareBits = spanAt(one.regime, one.address)?.hardwareBits ?? 0n;
  return one.outcome === other.outcome && one.steps.length === other.steps.length &&
    one.steps.every(({ raw }, i) => ((raw ^ other.steps[i]!.raw) & ~hardwareBits) === 0n);
}
