import { NoTablesError } from "./no_tables.ts";
import {
  BOOLEAN,
  checkOptions,
  FUNCTION,
  type OptionShape,
  SIGNAL,
  wholeNumberFrom,
} from "../core/options.ts";
import {
  MemoryReadError,
  type MemoryReadFailure,
  type PhysicalMemory,
} from "../memory/physical_memory.ts";
import { PageRecords } from "./_page_records.ts";
import { PathRights } from "./_path_rights.ts";
import { type Below, TablesBelow } from "./_tables_below.ts";
import { UsedTables } from "./_used_tables.ts";
import { depthBelow, entryAt, type ListedSpace, partOf, spanOf, type Visit } from "./_visit.ts";
import { type AddressRange, parseRange } from "./address_range.ts";
import { extend, intervalIn, type Regime, whyNoTables } from "./regime.ts";
import type { PageTableEntry } from "./entry.ts";
import type { Listed } from "./listing_records.ts";
import type { RightsSoFar } from "./rights.ts";
import { type TableEntries, TableReader } from "./table_reader.ts";

/** How far a listing has come. */
export interface ListProgress {
  /** The linear address up to which everything was listed. */
  readonly address: bigint;
  /** The part of the range's addresses that lies below it, 0 to 1. */
  readonly fraction: number;
  /** How many tables were visited. */
  readonly tables: number;
  /** How many pages were found. */
  readonly pages: number;
}

/** Options of {@linkcode listTables}. */
export interface ListOptions {
  /**
   * List entries that are not present but not empty either.
   *
   * @default {false}
   */
  notPresent?: boolean;
  /**
   * List the entries that point to tables.
   *
   * @default {false}
   */
  tables?: boolean;
  /**
   * List what a table holds each time it is reached, as the processor and `info tlb` see it, instead
   * of saying with which addresses it is shared.
   *
   * @default {false}
   */
  expandShared?: boolean;
  /**
   * Visit at most so many tables: no guest can keep a listing busy for ever. The default is enough to
   * map 256 GiB by small pages alone.
   *
   * @default {131_072}
   */
  maxTables?: number;
  /**
   * Read each table again, twice, before its records are passed on, and list what changed meanwhile as
   * that. Takes three times as long.
   *
   * @default {false}
   */
  recheck?: boolean;
  /** Ends the listing with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each table. */
  onProgress?: (progress: ListProgress) => void;
}

/** How many tables are read, unless an option says otherwise. */
export const MAX_TABLES = 131_072;

/** The checks of {@linkcode ListOptions}. */
export const LIST_SHAPE: OptionShape<ListOptions> = {
  notPresent: BOOLEAN,
  tables: BOOLEAN,
  expandShared: BOOLEAN,
  maxTables: wholeNumberFrom(0),
  recheck: BOOLEAN,
  signal: SIGNAL,
  onProgress: FUNCTION,
};

/** So many records make a batch: handing them over one by one takes longer than decoding them. */
const BATCH = 512;

/** With each batch that is read again, the tables above are too: sixteen full tables share that. */
const RECHECKED_BATCH = 16 * BATCH;

/**
 * Lists what page tables hold, in address order and in batches: each page, each entry that no access
 * gets past, each table that cannot be read. It takes the same step as {@linkcode walk}, but reads each
 * table as a whole and once. A table that was listed before is mentioned, not listed again, so tables
 * that point at each other end as any others do.
 *
 * @throws {InvalidArgumentError} if the range cannot be used
 * @throws {NoTablesError} if the context says that there are no tables
 * @throws if the memory fails in another way than {@linkcode MemoryReadError}
 *
 * @example Usage
 * ```ts
 * import { listTables, pagingContext } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assert } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * let pages = 0;
 * for await (const batch of listTables(guest.memory, context, {})) {
 *   pages += batch.filter((record) => record.kind === "page").length;
 * }
 * assert(pages > 10);
 * ```
 */
export async function* listTables(
  memory: PhysicalMemory,
  regime: Regime,
  range: AddressRange,
  options: ListOptions = {},
): AsyncGenerator<Listed[]> {
  checkOptions(options, "the options of a listing", LIST_SHAPE);
  const why = whyNoTables(regime);
  if (why !== undefined) throw new NoTablesError(why);
  const whole = parseRange(range);
  const tables = regime.stage2?.over(memory) ?? memory;
  const { recheck = false, signal } = options;
  const pages = regime.stage2?.pages(memory, { recheck, signal });
  let visited = 0;
  for (const span of regime.spans) {
    const interval = intervalIn(whole, span);
    if (interval === null) continue;
    const listing = new Listing(tables, regime, { span, interval }, options, visited);
    for await (const batch of listing.batches()) {
      if (pages === undefined) yield batch;
      else yield* pages.translated(batch);
      if (pages?.isFull) return;
    }
    if (listing.isTruncated) return;
    visited = listing.tables;
  }
}

class Listing {
  readonly #regime: Regime;
  readonly #space: ListedSpace;
  readonly #options: ListOptions;
  readonly #reader: TableReader;
  readonly #rights: PathRights;
  readonly #below: TablesBelow;
  readonly #pages: PageRecords;
  readonly #used: UsedTables | null;
  readonly #batch: number;
  /** The tables that could not be read. */
  readonly #failures = new Map<bigint, MemoryReadFailure>();
  #isTruncated = false;

  constructor(
    memory: PhysicalMemory,
    regime: Regime,
    space: ListedSpace,
    options: ListOptions,
    visited: number,
  ) {
    this.#regime = regime;
    this.#space = space;
    this.#options = options;
    this.#reader = new TableReader(memory, space.span, options.signal);
    this.#rights = new PathRights(regime.rules);
    this.#below = new TablesBelow(space, this.#reader, this.#rights, {
      maxTables: options.maxTables ?? MAX_TABLES,
      expandShared: options.expandShared ?? false,
      visited,
    });
    this.#pages = new PageRecords(regime.rules.rights);
    const { recheck = false, signal } = options;
    this.#used = recheck ? new UsedTables(memory, space.span, signal) : null;
    this.#batch = recheck ? RECHECKED_BATCH : BATCH;
  }

  /** Whether it ended early, as it had visited as many tables as it may. */
  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /** How many tables were visited so far, those of the spans before among them. */
  get tables(): number {
    return this.#below.count;
  }

  async *batches(): AsyncGenerator<Listed[]> {
    const part = partOf(this.#space, 0, 0n);
    const { span } = this.#space;
    const table = span.table ?? this.#regime.root;
    const entries = await this.#reader.read({ table, ...part });
    if (entries instanceof MemoryReadError) {
      const { level } = span.levels[0]!.format;
      const address = span.extension === "ones" ? extend(span, 0n) : 0n;
      const lengthBytes = 2 ** span.addressBits;
      const { failure } = entries;
      yield [{ kind: "unreadable", address, lengthBytes, level, table, failure }];
      return;
    }
    const { signal } = this.#options;
    const { userView, rules } = this.#regime;
    if (userView !== undefined && rules.views) {
      const top = await this.#rights.readUserView(this.#reader, { table: userView, ...part });
      if (top !== null) this.#used?.useUserView(userView, top);
    }
    const visits = [this.#visit(0, table, extend(span, 0n), entries, rules.rights.start)];
    let batch: Listed[] = [];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      signal?.throwIfAborted();
      const below = this.#listUntilTable(visit, batch);
      if (below === null) this.#used?.end(visit);
      if (batch.length >= this.#batch || this.#used?.isDue) {
        const entry = below?.entry ?? entryAt(visit, visit.last);
        const { address, lengthBytes } = spanOf(visit, entry);
        yield await this.#checked(batch, below ? address : address + BigInt(lengthBytes));
        batch = [];
      }
      if (below === null) {
        visits.pop();
        this.#report(visit);
      } else if (below.is === "toVisit") {
        const inside = await this.#enter(visit, below, batch);
        if (inside !== null) visits.push(inside);
      } else if (below.is === "tooMany") {
        const tables = this.#below.count;
        batch.push({ kind: "truncated", ...spanOf(visit, below.entry), tables });
        this.#isTruncated = true;
        break;
      }
    }
    const last = batch.at(-1);
    batch = await this.#checked(batch, last?.kind === "truncated" ? last.address : 1n << 64n);
    if (batch.length > 0) yield batch;
  }

  async #checked(batch: Listed[], listedTo: bigint): Promise<Listed[]> {
    return this.#used === null ? batch : await this.#used.checked(batch, listedTo);
  }

  /** Lists a table's entries up to the next one that points to a table; null if there is none. */
  #listUntilTable(visit: Visit, batch: Listed[]): Below | null {
    const { decoder, entries, first, last } = visit;
    const mayPoint = visit.depth + 1 < visit.span.levels.length;
    while (visit.next <= last) {
      const index = visit.next++;
      const at = index - first;
      if (!entries.isPresent(at)) {
        if (this.#options.notPresent && !entries.isZero(at)) {
          const entry = entryAt(visit, index);
          const content = this.#regime.rules.absentContent(entry.raw, entry.level);
          batch.push({ kind: "notPresent", ...spanOf(visit, entry), entry, content });
        }
        continue;
      }
      if (mayPoint && decoder.kindOf(entries.raw(at)) === "table") {
        const below = this.#below.next(visit);
        if (below.is === "tooMany") return below;
        if (this.#options.tables && below.is !== "broken") {
          const { entry, soFar } = below;
          batch.push({ kind: "table", ...spanOf(visit, entry), entry, rights: soFar });
        }
        if (below.is === "toVisit") return below;
        batch.push(this.#closed(visit, below));
        continue;
      }
      const entry = entryAt(visit, index);
      batch.push(
        entry.reservedBits
          ? { kind: "reservedBits", ...spanOf(visit, entry), entry, entries: 1 }
          : this.#pages.page(visit, entry),
      );
    }
    return null;
  }

  /** What there is to say of an entry whose table is not visited. */
  #closed(visit: Visit, below: Below): Listed {
    const { entry } = below;
    const span = spanOf(visit, entry);
    if (below.is !== "shared") return { kind: "reservedBits", ...span, entry, entries: 1 };
    const failure = this.#failures.get(entry.frame);
    if (failure) return this.#unreadable(visit, entry, failure);
    const { level } = visit.span.levels[depthBelow(visit, entry)]!.format;
    const { sharedWith } = below;
    return { kind: "shared", ...span, level, table: entry.frame, sharedWith, entry };
  }

  #unreadable(visit: Visit, entry: PageTableEntry, failure: MemoryReadFailure): Listed {
    const { level } = visit.span.levels[depthBelow(visit, entry)]!.format;
    const span = spanOf(visit, entry);
    return { kind: "unreadable", ...span, level, table: entry.frame, failure, entry };
  }

  /** Begins to list a table below, unless it cannot be read. */
  async #enter(
    visit: Visit,
    { entry, soFar, entries: reading }: Below & { is: "toVisit" },
    batch: Listed[],
  ): Promise<Visit | null> {
    const entries = await reading;
    if (!(entries instanceof MemoryReadError)) {
      const { address } = spanOf(visit, entry);
      return this.#visit(depthBelow(visit, entry), entry.frame, address, entries, soFar);
    }
    this.#failures.set(entry.frame, entries.failure);
    batch.push(this.#unreadable(visit, entry, entries.failure));
    return null;
  }

  #visit(
    depth: number,
    table: bigint,
    base: bigint,
    entries: TableEntries,
    soFar: RightsSoFar,
  ): Visit {
    const { first, last } = partOf(this.#space, depth, base);
    const { span } = this.#space;
    const decoder = span.levels[depth]!;
    const visit = { depth, span, decoder, table, base, first, last, entries, soFar, next: first };
    this.#below.begin(visit);
    this.#used?.begin(visit);
    return visit;
  }

  #report(visit: Visit): void {
    const { onProgress } = this.#options;
    if (!onProgress) return;
    const { span, interval: { first, last } } = this.#space;
    const { shift, indexBits } = visit.decoder.format;
    const done = BigInt.asUintN(span.addressBits, visit.base) + (1n << BigInt(shift + indexBits));
    const end = done > last ? last + 1n : done;
    onProgress({
      address: extend(span, end - 1n) + 1n,
      fraction: Number(end - first) / Number(last - first + 1n),
      tables: this.#below.count,
      pages: this.#pages.count,
    });
  }
}
