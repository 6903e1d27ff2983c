import type { MemoryReadError } from "../memory/physical_memory.ts";
import type { PathRights } from "./_path_rights.ts";
import { depthBelow, entryAt, type ListedSpace, partOf, spanOf, type Visit } from "./_visit.ts";
import type { PageTableEntry } from "./entry.ts";
import type { RightsSoFar } from "./rights.ts";
import type { TableEntries, TableReader } from "./table_reader.ts";

/** What becomes of an entry that points to a table. */
export type Below =
  & { readonly entry: PageTableEntry; readonly soFar: RightsSoFar }
  & (
    | { readonly is: "toVisit"; readonly entries: Promise<TableEntries | MemoryReadError> }
    | { readonly is: "shared"; readonly sharedWith: bigint }
    | { readonly is: "broken" | "tooMany" }
  );

/** Which tables are visited. */
export interface TablesBelowOptions {
  /** How many at most. */
  readonly maxTables: number;
  /** Whether a table is visited each time that it is reached. */
  readonly expandShared: boolean;
  /** How many were visited before, in other ranges of the regime's addresses. */
  readonly visited: number;
}

/** Reads under way at once for one table's children: enough to hide a monitor's round trips. */
const READ_AHEAD = 32;

/** The tables below one that were looked at ahead of its listing, in order, and up to which index. */
interface Ahead {
  readonly queue: Below[];
  to: number;
}

/** Decides which tables a listing visits, and has them read before it comes to them. */
export class TablesBelow {
  readonly #space: ListedSpace;
  readonly #reader: TableReader;
  readonly #rights: PathRights;
  readonly #options: TablesBelowOptions;
  /** Where each table was listed, by its address, level and rights. */
  readonly #listedAt = new Map<bigint, bigint>();
  /** What was looked at below the table that is being listed and those above it, by depth. */
  readonly #ahead: Ahead[] = [];
  #count: number;

  constructor(
    space: ListedSpace,
    reader: TableReader,
    rights: PathRights,
    options: TablesBelowOptions,
  ) {
    this.#space = space;
    this.#reader = reader;
    this.#rights = rights;
    this.#options = options;
    this.#count = options.visited + 1; // The root is one.
  }

  /** How many tables are visited so far, those being read among them. */
  get count(): number {
    return this.#count;
  }

  /** Begins with the tables below one that is about to be listed. */
  begin({ depth, first }: Visit): void {
    this.#ahead[depth] = { queue: [], to: first };
  }

  /** The next entry that points to a table. Those after it are looked at too, and being read. */
  next(visit: Visit): Below {
    const ahead = this.#ahead[visit.depth]!;
    while (ahead.queue.length < READ_AHEAD && ahead.to <= visit.last) {
      const at = ahead.to - visit.first;
      if (visit.entries.isPresent(at) && visit.decoder.kindOf(visit.entries.raw(at)) === "table") {
        ahead.queue.push(this.#look(visit, ahead.to));
      }
      ahead.to++;
    }
    return ahead.queue.shift()!;
  }

  #look(visit: Visit, index: number): Below {
    const entry = entryAt(visit, index);
    const soFar = this.#rights.behind(visit, entry);
    if (entry.reservedBits) return { is: "broken", entry, soFar };
    const { maxTables, expandShared } = this.#options;
    const { address: base } = spanOf(visit, entry);
    const depth = depthBelow(visit, entry);
    const { first, last } = partOf(this.#space, depth, base);
    const { format } = this.#space.span.levels[depth]!;
    const isWhole = last - first + 1 === 2 ** format.indexBits;
    if (isWhole && !expandShared) {
      const rights = this.#rights.numberOf(soFar.effective);
      const key = (entry.frame << 8n) | BigInt(depth * 16 + rights);
      const sharedWith = this.#listedAt.get(key);
      if (sharedWith !== undefined) return { is: "shared", sharedWith, entry, soFar };
      if (this.#count < maxTables) this.#listedAt.set(key, base);
    }
    if (this.#count >= maxTables) return { is: "tooMany", entry, soFar };
    this.#count++;
    const entries = this.#reader.read({ table: entry.frame, first, last });
    return { is: "toVisit", entries, entry, soFar };
  }
}
