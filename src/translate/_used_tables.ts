import { MemoryReadError, type PhysicalMemory } from "../memory/physical_memory.ts";
import { entryAt, spanOf, type Visit } from "./_visit.ts";
import type { AddressSpan } from "./regime.ts";
import type { Listed, ListedChanged } from "./listing_records.ts";
import { REREADINGS, shuffled } from "./entry.ts";
import { type TableEntries, TableReader } from "./table_reader.ts";

/** So many tables are read again together: the memory used does not grow with the listing. */
const MAX_TABLES = 64;

/** Entries of a table that records rest on. */
interface UsedEntries {
  readonly visit: Visit;
  /** The table, and what was read of it: the listed one, or the view of user code. */
  readonly table: bigint;
  readonly entries: TableEntries;
  /** The first and the last index. */
  readonly first: number;
  readonly last: number;
}

/**
 * Reads the tables that records rest on once more before the records are handed over, and puts what
 * changed meanwhile in their place. All of a record's entries are read before any is read again: if none
 * has changed, and none has changed back, they all stood together at one moment in between.
 */
export class UsedTables {
  readonly #memory: PhysicalMemory;
  readonly #span: AddressSpan;
  readonly #signal: AbortSignal | undefined;
  /** The tables that were listed since the last check or still are, and from which index on. */
  readonly #used = new Map<Visit, number>();
  /** Those of them, with all below, that are done. */
  readonly #ended = new Set<Visit>();
  /** The top table that user code sees, of which each entry goes with the same one of the kernel's. */
  #userView: { table: bigint; entries: TableEntries } | null = null;
  /** Everything below was handed over. */
  #checkedTo = 0n;

  constructor(memory: PhysicalMemory, span: AddressSpan, signal: AbortSignal | undefined) {
    this.#memory = memory;
    this.#span = span;
    this.#signal = signal;
  }

  /** Whether there are enough tables for a check. */
  get isDue(): boolean {
    return this.#used.size >= MAX_TABLES;
  }

  /** Takes a table that is about to be listed. */
  begin(visit: Visit): void {
    this.#used.set(visit, visit.first);
  }

  /** Takes a table that was listed, with all below it. */
  end(visit: Visit): void {
    this.#ended.add(visit);
  }

  /** Takes the top table that user code sees, if rights come from it. */
  useUserView(table: bigint, entries: TableEntries): void {
    this.#userView = { table, entries };
  }

  /**
   * Returns the records of all addresses up to one that were not handed over yet, those whose entries
   * changed replaced.
   */
  async checked(batch: Listed[], end: bigint): Promise<Listed[]> {
    const changed = (await this.#changed()).flatMap(([visit, index]) => {
      const { address, lengthBytes } = spanOf(visit, entryAt(visit, index));
      const start = address > this.#checkedTo ? address : this.#checkedTo;
      const spanEnd = address + BigInt(lengthBytes);
      const last = spanEnd < end ? spanEnd : end;
      return start < last ? [{ start, end: last }] : [];
    });
    this.#checkedTo = end;
    for (const visit of this.#ended) this.#used.delete(visit);
    this.#ended.clear();
    // What is below the last entry is still being listed.
    for (const [visit] of this.#used) this.#used.set(visit, visit.next - 1);
    return changed.length === 0 ? batch : replaced(batch, joined(changed));
  }

  /** Reads what was used again, and returns the entries that are not what they were. */
  async #changed(): Promise<[Visit, number][]> {
    const used = [...this.#used].flatMap(([visit, first]) => this.#usedOf(visit, first));
    const changed: [Visit, number][] = [];
    for (let readings = 0; readings < REREADINGS; readings++) {
      // A new reader each time: one keeps what it has read.
      const reader = new TableReader(this.#memory, this.#span, this.#signal);
      const found = await Promise.all(
        shuffled(used).map(async (part) => [part, await reader.read(part)] as const),
      );
      for (const [{ visit, entries, first, last }, again] of found) {
        for (let index = first; index <= last; index++) {
          const same = !(again instanceof MemoryReadError) &&
            entries.saysTheSame(index - visit.first, again, index - first);
          if (!same) changed.push([visit, index]);
        }
      }
    }
    return changed;
  }

  #usedOf(visit: Visit, first: number): UsedEntries[] {
    const last = visit.next - 1;
    if (last < first) return [];
    const used = { visit, table: visit.table, entries: visit.entries, first, last };
    if (visit.depth > 0 || this.#userView === null) return [used];
    return [used, { ...used, ...this.#userView }];
  }
}

interface Span {
  start: bigint;
  end: bigint;
}

/** Spans in address order, those that touch made one. */
function joined(spans: readonly Span[]): Span[] {
  const apart: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start < b.start ? -1 : 1)) {
    const last = apart.at(-1);
    if (last === undefined || span.start > last.end) apart.push({ ...span });
    else if (span.end > last.end) last.end = span.end;
  }
  return apart;
}

/** The records, with those that reach into a span replaced by a record of the span. */
function replaced(batch: readonly Listed[], spans: readonly Span[]): Listed[] {
  const records: Listed[] = spans.map(({ start, end }): ListedChanged => ({
    kind: "changed",
    address: start,
    lengthBytes: Number(end - start),
  }));
  for (const record of batch) {
    const end = record.address + BigInt(record.lengthBytes);
    const isIn = spans.some((span) => record.address < span.end && end > span.start);
    if (!isIn || record.kind === "truncated") records.push(record);
  }
  return records.sort((a, b) => a.address === b.address ? 0 : a.address < b.address ? -1 : 1);
}
