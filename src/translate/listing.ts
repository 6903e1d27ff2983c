import { canonicalize } from "../core/canonical.ts";
import { NoTablesError, PAGING_OFF } from "../arch/x86/cpu_state.ts";
import {
  ADDRESS,
  BOOLEAN,
  checkOptions,
  FUNCTION,
  type OptionShape,
  SIGNAL,
  wholeNumberFrom,
} from "../core/options.ts";
import type { PagingContext } from "../arch/x86/paging_context.ts";
import {
  MemoryReadError,
  type MemoryReadFailure,
  type PhysicalMemory,
} from "../memory/physical_memory.ts";
import { PageRecords } from "./_page_records.ts";
import { RightsOnTheWay } from "./_rights_on_the_way.ts";
import { type Below, TablesBelow } from "./_tables_below.ts";
import { UsedTables } from "./_used_tables.ts";
import { entryAt, type ListedSpace, partOf, spanOf, type Visit } from "./_visit.ts";
import { type AddressRange, linearInterval, parseRange } from "./address_range.ts";
import { levelDecoders, type PageTableEntry } from "../arch/x86/entry.ts";
import type { Listed } from "./listing_records.ts";
import { PAGING_MODES } from "../arch/x86/modes.ts";
import { decodeNotPresent } from "../arch/x86/not_present.ts";
import { ALL_RIGHTS, type RightsSoFar } from "../arch/x86/rights.ts";
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
   * Under kernel page-table isolation, the root that user code runs on: the kernel's root forbids
   * execution of every user page, so that right is taken from there.
   */
  userRoot?: bigint;
  /**
   * Read each table again, twice, before its records are handed over, and list what changed meanwhile as
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

/** The checks of {@linkcode ListOptions}. */
export const LIST_SHAPE: OptionShape<ListOptions> = {
  notPresent: BOOLEAN,
  tables: BOOLEAN,
  expandShared: BOOLEAN,
  maxTables: wholeNumberFrom(0),
  userRoot: ADDRESS,
  recheck: BOOLEAN,
  signal: SIGNAL,
  onProgress: FUNCTION,
};

/** So many records make a batch: handing them over one by one takes longer than decoding them. */
const BATCH = 512;

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
  context: PagingContext,
  range: AddressRange,
  options: ListOptions = {},
): AsyncGenerator<Listed[]> {
  checkOptions(options, "the options of a listing", LIST_SHAPE);
  const mode = PAGING_MODES[context.mode];
  const why = context.noTables ?? (mode.levels.length === 0 ? PAGING_OFF : undefined);
  if (why !== undefined) throw new NoTablesError(why);
  const interval = linearInterval(parseRange(range), mode.linearAddressBits);
  if (interval === null) return;
  const space = { mode, interval, decoders: levelDecoders(context) };
  yield* new Listing(memory, context, space, options).batches();
}

class Listing {
  readonly #root: bigint;
  readonly #space: ListedSpace;
  readonly #options: ListOptions;
  readonly #reader: TableReader;
  readonly #rights = new RightsOnTheWay();
  readonly #below: TablesBelow;
  readonly #pages: PageRecords;
  readonly #used: UsedTables | null;
  /** The tables that could not be read. */
  readonly #failures = new Map<bigint, MemoryReadFailure>();

  constructor(
    memory: PhysicalMemory,
    context: PagingContext,
    space: ListedSpace,
    options: ListOptions,
  ) {
    this.#root = context.root;
    this.#space = space;
    this.#options = options;
    this.#reader = new TableReader(memory, space.mode.entryBytes, options.signal);
    this.#below = new TablesBelow(space, this.#reader, this.#rights, {
      maxTables: options.maxTables ?? 131_072,
      expandShared: options.expandShared ?? false,
    });
    this.#pages = new PageRecords(context);
    const { recheck = false, signal } = options;
    this.#used = recheck ? new UsedTables(memory, space.mode, signal) : null;
  }

  async *batches(): AsyncGenerator<Listed[]> {
    const part = partOf(this.#space, 0, 0n);
    const { mode, decoders } = this.#space;
    const table = this.#root;
    const entries = await this.#reader.read({ table, ...part });
    if (entries instanceof MemoryReadError) {
      const { level } = decoders[0]!.format;
      const lengthBytes = 2 ** mode.linearAddressBits;
      const { failure } = entries;
      yield [{ kind: "unreadable", address: 0n, lengthBytes, level, table, failure }];
      return;
    }
    const { userRoot, signal } = this.#options;
    if (userRoot !== undefined && mode.entryBytes === 8) {
      const top = await this.#rights.readUserRoot(this.#reader, { table: userRoot, ...part });
      if (top !== null) this.#used?.useUserRoot(userRoot, top);
    }
    const visits = [this.#visit(0, table, 0n, entries, ALL_RIGHTS)];
    let batch: Listed[] = [];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      signal?.throwIfAborted();
      const below = this.#listUntilTable(visit, batch);
      if (below === null) this.#used?.end(visit);
      if (batch.length >= BATCH || this.#used?.isDue) {
        const entry = below?.entry ?? entryAt(visit, visit.last);
        const { address, lengthBytes } = spanOf(visit, entry, mode);
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
        batch.push({ kind: "truncated", ...spanOf(visit, below.entry, mode), tables });
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
    const { mode } = this.#space;
    while (visit.next <= last) {
      const index = visit.next++;
      const at = index - first;
      if (!entries.isPresent(at)) {
        if (this.#options.notPresent && !entries.isZero(at)) {
          const entry = entryAt(visit, index);
          const content = decodeNotPresent(entry.raw, mode.name);
          batch.push({ kind: "notPresent", ...spanOf(visit, entry, mode), entry, content });
        }
        continue;
      }
      if (decoder.format.level > 1 && decoder.kindOf(entries.raw(at)) === "table") {
        const below = this.#below.next(visit);
        if (below.is === "tooMany") return below;
        if (this.#options.tables && below.is !== "broken") {
          const { entry, soFar } = below;
          batch.push({ kind: "table", ...spanOf(visit, entry, mode), entry, rights: soFar });
        }
        if (below.is === "toVisit") return below;
        batch.push(this.#closed(visit, below));
        continue;
      }
      const entry = entryAt(visit, index);
      batch.push(
        entry.reservedBits
          ? { kind: "reservedBits", ...spanOf(visit, entry, mode), entry, entries: 1 }
          : this.#pages.page(visit, entry),
      );
    }
    return null;
  }

  /** What there is to say of an entry whose table is not visited. */
  #closed(visit: Visit, below: Below): Listed {
    const { entry } = below;
    const span = spanOf(visit, entry, this.#space.mode);
    if (below.is !== "shared") return { kind: "reservedBits", ...span, entry, entries: 1 };
    const failure = this.#failures.get(entry.frame);
    if (failure) return this.#unreadable(visit, entry, failure);
    const { level } = this.#space.decoders[visit.depth + 1]!.format;
    const { sharedWith } = below;
    return { kind: "shared", ...span, level, table: entry.frame, sharedWith, entry };
  }

  #unreadable(visit: Visit, entry: PageTableEntry, failure: MemoryReadFailure): Listed {
    const { mode, decoders } = this.#space;
    const { level } = decoders[visit.depth + 1]!.format;
    const span = spanOf(visit, entry, mode);
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
      const { address } = spanOf(visit, entry, this.#space.mode);
      return this.#visit(visit.depth + 1, entry.frame, address, entries, soFar);
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
    const decoder = this.#space.decoders[depth]!;
    const visit = { depth, decoder, table, base, first, last, entries, soFar, next: first };
    this.#below.begin(visit);
    this.#used?.begin(visit);
    return visit;
  }

  #report(visit: Visit): void {
    const { onProgress } = this.#options;
    if (!onProgress) return;
    const { first, last } = this.#space.interval;
    const bits = this.#space.mode.linearAddressBits;
    const { shift, indexBits } = visit.decoder.format;
    const done = BigInt.asUintN(bits, visit.base) + (1n << BigInt(shift + indexBits));
    const end = done > last ? last + 1n : done;
    onProgress({
      address: canonicalize(BigInt.asUintN(bits, end - 1n), bits) + 1n,
      fraction: Number(end - first) / Number(last - first + 1n),
      tables: this.#below.count,
      pages: this.#pages.count,
    });
  }
}
