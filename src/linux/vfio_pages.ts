import type { PagingContext } from "../arch/x86/paging_context.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type Walk, walk } from "../translate/walk.ts";
import type { VfioLogRecord } from "./vfio_log.ts";

/** Whose page a log means. */
export interface LoggedPage<P> {
  /** The line or lines of the log. */
  readonly record: VfioLogRecord;
  /** The process, or null if none maps the address, or several could be meant. */
  readonly process: P | null;
  /** The walk through that process's tables; without a process, the first that was tried, or null. */
  readonly walk: Walk | null;
  /** All processes that map the address. */
  readonly mappedBy: readonly P[];
}

/** A process, and how its tables are walked. */
export interface PageOwner<P> {
  /** The process. */
  readonly process: P;
  /** The mode and root of its tables. */
  readonly context: PagingContext;
}

/**
 * Finds for each page of a log the process that it belongs to: the log names an address only, and each
 * process has its own memory there. The frame that the log gives tells them apart; without one, the
 * only process that maps the address is meant.
 *
 * @throws whatever the memory throws but a `MemoryReadError`
 */
export async function* findLoggedPages<P>(
  memory: PhysicalMemory,
  owners: readonly PageOwner<P>[],
  records: readonly VfioLogRecord[],
  options: ReadOptions = {},
): AsyncGenerator<LoggedPage<P>, void> {
  // The pages of a log mostly belong to one process: the last is tried first.
  let order = [...owners];
  for (const record of records) {
    const found = await findOne(memory, order, record, options);
    const { process } = found;
    if (process !== null) {
      order = [...order].sort((a, b) =>
        Number(b.process === process) - Number(a.process === process)
      );
    }
    yield found;
  }
}

async function findOne<P>(
  memory: PhysicalMemory,
  owners: readonly PageOwner<P>[],
  record: VfioLogRecord,
  options: ReadOptions,
): Promise<LoggedPage<P>> {
  const logged = record.newEntry ?? record.oldEntry;
  const mapped: { process: P; walk: Walk }[] = [];
  let first: Walk | null = null;
  for (const { process, context } of owners) {
    const found = await walk(memory, context, record.address, options);
    first ??= found;
    if (found.outcome !== "mapped") continue;
    if (logged !== undefined && hasFrame(found.steps.at(-1)!.frame, logged, found.pageSizeBytes)) {
      return { record, process, walk: found, mappedBy: [process] };
    }
    mapped.push({ process, walk: found });
  }
  const mappedBy = mapped.map(({ process }) => process);
  const [only, ...others] = mapped;
  return only && others.length === 0
    ? { record, process: only.process, walk: only.walk, mappedBy }
    : { record, process: null, walk: only?.walk ?? first, mappedBy };
}

const ADDRESS_BITS = 0x000f_ffff_ffff_f000n;

function hasFrame(frame: bigint, entry: bigint, pageSizeBytes: number): boolean {
  return frame === (entry & ADDRESS_BITS & ~(BigInt(pageSizeBytes) - 1n));
}
