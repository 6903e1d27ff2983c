import { canonicalize } from "../core/canonical.ts";
import type { PagingContext } from "../cpu/paging_context.ts";
import {
  MemoryReadError,
  type MemoryReadFailure,
  type PhysicalMemory,
} from "../memory/physical_memory.ts";
import {
  type AddressRange,
  type LinearInterval,
  linearInterval,
  parseRange,
} from "./address_range.ts";
import { type EntryFlags, type LevelDecoder, levelDecoders, type PageTableEntry } from "./entry.ts";
import type { Listed, ListedPage } from "./listing_records.ts";
import { PAGING_MODES, type PagingMode, tableIndex } from "./modes.ts";
import { decodeNotPresent } from "./not_present.ts";
import {
  ALL_RIGHTS,
  leafRightsOf,
  restrictRights,
  type RightsSoFar,
  settleRights,
} from "./rights.ts";
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
  /** Ends the listing with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each table. */
  onProgress?: (progress: ListProgress) => void;
}

/** A table being listed, between two of its entries. */
interface Visit {
  readonly depth: number;
  readonly decoder: LevelDecoder;
  readonly table: bigint;
  /** The linear address of the table's first entry. */
  readonly base: bigint;
  readonly first: number;
  readonly last: number;
  readonly entries: TableEntries;
  readonly soFar: RightsSoFar;
  next: number;
  /** The tables below that were looked at ahead of `next`, in order, and up to which index. */
  readonly ahead: Below[];
  aheadTo: number;
}

/** What becomes of an entry that points to a table. */
type Below =
  & { readonly entry: PageTableEntry; readonly soFar: RightsSoFar }
  & (
    | { readonly is: "toVisit"; readonly entries: Promise<TableEntries | MemoryReadError> }
    | { readonly is: "shared"; readonly sharedWith: bigint }
    | { readonly is: "broken" | "tooMany" }
  );

/** Reads under way at once for one table's children: enough to hide a monitor's round trips. */
const READ_AHEAD = 32;
/** So many records make a batch: handing them over one by one takes longer than decoding them. */
const BATCH = 512;
const EXECUTE_DISABLE = 1n << 63n;

/**
 * Lists what page tables hold, in address order and in batches: each page, each entry that no access
 * gets past, each table that cannot be read. It takes the same step as {@linkcode walk}, but reads each
 * table as a whole and once. A table that was listed before is mentioned, not listed again, so tables
 * that point at each other end as any others do.
 *
 * @throws {InvalidArgumentError} if the range cannot be used
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
  const mode = PAGING_MODES[context.mode];
  const interval = linearInterval(parseRange(range), mode.linearAddressBits);
  if (interval === null) return;
  if (mode.levels.length === 0) {
    yield [{ kind: "identity", address: 0n, lengthBytes: 2 ** mode.linearAddressBits }];
    return;
  }
  yield* new Listing(memory, context, mode, interval, options).batches();
}

class Listing {
  readonly #context: PagingContext;
  readonly #mode: PagingMode;
  readonly #interval: LinearInterval;
  readonly #options: ListOptions;
  readonly #decoders: readonly LevelDecoder[];
  readonly #reader: TableReader;
  readonly #maxTables: number;
  /** Where each table was listed, by its address, level and rights. */
  readonly #listedAt = new Map<bigint, bigint>();
  /** The tables that could not be read. */
  readonly #failures = new Map<bigint, MemoryReadFailure>();
  /** What pages of one shape have in common, for each set of rights that the levels above leave. */
  readonly #traits = new Map<RightsSoFar, Map<EntryFlags, PageTraits>>();
  /** The same rights are the same object, whichever levels' entries they come from. */
  readonly #rights = new Map<string, RightsSoFar>();
  #userTop: TableEntries | null = null;
  #tables = 0;
  #pages = 0;

  constructor(
    memory: PhysicalMemory,
    context: PagingContext,
    mode: PagingMode,
    interval: LinearInterval,
    options: ListOptions,
  ) {
    this.#context = context;
    this.#mode = mode;
    this.#interval = interval;
    this.#options = options;
    this.#decoders = levelDecoders(context);
    this.#reader = new TableReader(memory, mode.entryBytes, options.signal);
    this.#maxTables = options.maxTables ?? 131_072;
  }

  async *batches(): AsyncGenerator<Listed[]> {
    const root = this.#part(0, 0n);
    const { root: table } = this.#context;
    const entries = await this.#reader.read({ table, ...root });
    if (entries instanceof MemoryReadError) {
      const { level } = this.#decoders[0]!.format;
      const lengthBytes = 2 ** this.#mode.linearAddressBits;
      yield [
        { kind: "unreadable", address: 0n, lengthBytes, level, table, failure: entries.failure },
      ];
      return;
    }
    await this.#readUserTop(root);
    this.#tables++;
    const visits = [this.#visit(0, table, 0n, entries, ALL_RIGHTS)];
    let batch: Listed[] = [];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      this.#options.signal?.throwIfAborted();
      const below = this.#listUntilTable(visit, batch);
      if (batch.length >= BATCH) {
        yield batch;
        batch = [];
      }
      if (below === null) {
        visits.pop();
        this.#report(visit);
      } else if (below.is === "toVisit") {
        const inside = await this.#enter(visit, below, batch);
        if (inside !== null) visits.push(inside);
      } else if (below.is === "tooMany") {
        batch.push({ kind: "truncated", ...this.#span(visit, below.entry), tables: this.#tables });
        break;
      }
    }
    if (batch.length > 0) yield batch;
  }

  /** Lists a table's entries up to the next one that points to a table; null if there is none. */
  #listUntilTable(visit: Visit, batch: Listed[]): Below | null {
    const { decoder, entries, first, last } = visit;
    while (visit.next <= last) {
      const index = visit.next++;
      const at = index - first;
      if (!entries.isPresent(at)) {
        if (this.#options.notPresent && !entries.isZero(at)) {
          batch.push(this.#notPresent(visit, at));
        }
        continue;
      }
      if (decoder.format.level > 1 && decoder.kindOf(entries.raw(at)) === "table") {
        const below = this.#nextBelow(visit);
        if (below.is === "tooMany") return below;
        if (this.#options.tables && below.is !== "broken") {
          const { entry, soFar } = below;
          batch.push({ kind: "table", ...this.#span(visit, entry), entry, rights: soFar });
        }
        if (below.is === "toVisit") return below;
        batch.push(this.#closed(visit, below));
        continue;
      }
      const entry = this.#decode(visit, index);
      batch.push(
        entry.reservedBits
          ? { kind: "reservedBits", ...this.#span(visit, entry), entry }
          : this.#page(visit, entry),
      );
    }
    return null;
  }

  #closed(visit: Visit, below: Below): Listed {
    const { entry } = below;
    const span = this.#span(visit, entry);
    if (below.is !== "shared") return { kind: "reservedBits", ...span, entry };
    const { level } = this.#decoders[visit.depth + 1]!.format;
    const table = entry.frame;
    const failure = this.#failures.get(table);
    if (failure) return { kind: "unreadable", ...span, level, table, failure, entry };
    return { kind: "shared", ...span, level, table, sharedWith: below.sharedWith, entry };
  }

  #notPresent(visit: Visit, at: number): Listed {
    const entry = this.#decode(visit, visit.first + at);
    const content = decodeNotPresent(entry.raw, this.#mode.name);
    return { kind: "notPresent", ...this.#span(visit, entry), entry, content };
  }

  #page(visit: Visit, entry: PageTableEntry): ListedPage {
    this.#pages++;
    const { leaf, effective, decidedBy } = this.#traitsOf(visit.soFar, entry);
    return {
      kind: "page",
      address: visit.base + (BigInt(entry.index) << BigInt(visit.decoder.format.shift)),
      lengthBytes: 2 ** visit.decoder.format.shift,
      physicalAddress: entry.frame,
      entry,
      leaf,
      effective,
      decidedBy,
    };
  }

  #traitsOf(soFar: RightsSoFar, entry: PageTableEntry): PageTraits {
    let ofShapes = this.#traits.get(soFar);
    if (!ofShapes) this.#traits.set(soFar, ofShapes = new Map());
    let traits = ofShapes.get(entry.flags);
    if (!traits) {
      const { userKeys, supervisorKeys } = this.#context;
      traits = {
        leaf: leafRightsOf(entry, userKeys || supervisorKeys),
        ...settleRights(restrictRights(soFar, entry), entry.level),
      };
      // As in the decoder: tables full of junk are not to fill the memory.
      if (ofShapes.size >= 4096) ofShapes.clear();
      ofShapes.set(entry.flags, traits);
    }
    return traits;
  }

  /** The next entry that points to a table. Those after it are looked at too, and being read. */
  #nextBelow(visit: Visit): Below {
    while (visit.ahead.length < READ_AHEAD && visit.aheadTo <= visit.last) {
      const at = visit.aheadTo - visit.first;
      if (visit.entries.isPresent(at) && visit.decoder.kindOf(visit.entries.raw(at)) === "table") {
        visit.ahead.push(this.#lookBelow(visit, visit.aheadTo));
      }
      visit.aheadTo++;
    }
    return visit.ahead.shift()!;
  }

  #lookBelow(visit: Visit, index: number): Below {
    const entry = this.#decode(visit, index);
    const soFar = this.#restrict(visit, entry);
    if (entry.reservedBits) return { is: "broken", entry, soFar };
    const { address: base } = this.#span(visit, entry);
    const { first, last } = this.#part(visit.depth + 1, base);
    const { format } = this.#decoders[visit.depth + 1]!;
    const isWhole = last - first + 1 === 2 ** format.indexBits;
    if (isWhole && !this.#options.expandShared) {
      const { user, writable, executable } = soFar.effective;
      const rights = (user ? 1 : 0) + (writable ? 2 : 0) + (executable ? 4 : 0);
      const key = entry.frame | BigInt(format.level * 8 + rights);
      const sharedWith = this.#listedAt.get(key);
      if (sharedWith !== undefined) return { is: "shared", sharedWith, entry, soFar };
      if (this.#tables < this.#maxTables) this.#listedAt.set(key, base);
    }
    if (this.#tables >= this.#maxTables) return { is: "tooMany", entry, soFar };
    this.#tables++;
    const entries = this.#reader.read({ table: entry.frame, first, last });
    return { is: "toVisit", entries, entry, soFar };
  }

  async #enter(
    visit: Visit,
    below: Below & { is: "toVisit" },
    batch: Listed[],
  ): Promise<Visit | null> {
    const { entry, soFar } = below;
    const depth = visit.depth + 1;
    const entries = await below.entries;
    const span = this.#span(visit, entry);
    if (!(entries instanceof MemoryReadError)) {
      return this.#visit(depth, entry.frame, span.address, entries, soFar);
    }
    const { level } = this.#decoders[depth]!.format;
    const { failure } = entries;
    this.#failures.set(entry.frame, failure);
    batch.push({ kind: "unreadable", ...span, level, table: entry.frame, failure, entry });
    return null;
  }

  #visit(
    depth: number,
    table: bigint,
    base: bigint,
    entries: TableEntries,
    soFar: RightsSoFar,
  ): Visit {
    const { first, last } = this.#part(depth, base);
    const decoder = this.#decoders[depth]!;
    return {
      depth,
      decoder,
      table,
      base,
      first,
      last,
      entries,
      soFar,
      next: first,
      ahead: [],
      aheadTo: first,
    };
  }

  /** The indexes of a table that lie in the range. */
  #part(depth: number, base: bigint): { first: number; last: number } {
    const { format } = this.#decoders[depth]!;
    const bits = this.#mode.linearAddressBits;
    const start = BigInt.asUintN(bits, base);
    const end = start + (1n << BigInt(format.shift + format.indexBits));
    const { first, last } = this.#interval;
    return {
      first: first <= start ? 0 : tableIndex(first, format),
      last: last >= end - 1n ? 2 ** format.indexBits - 1 : tableIndex(last, format),
    };
  }

  #decode({ decoder, entries, first, table }: Visit, index: number): PageTableEntry {
    const address = table + BigInt(index * decoder.entryBytes);
    return decoder.decode(entries.raw(index - first), address, index);
  }

  /** The addresses that an entry covers. Only those of the root need their sign extended. */
  #span(visit: Visit, entry: PageTableEntry): { address: bigint; lengthBytes: number } {
    const { shift } = visit.decoder.format;
    const address = visit.base + (BigInt(entry.index) << BigInt(shift));
    return {
      address: visit.depth === 0 ? canonicalize(address, this.#mode.linearAddressBits) : address,
      lengthBytes: 2 ** shift,
    };
  }

  #restrict(visit: Visit, entry: PageTableEntry): RightsSoFar {
    const soFar = restrictRights(visit.soFar, this.#asUserCodeSees(visit, entry));
    const { user = 0, writable = 0, executable = 0 } = soFar.deniedAt;
    const key = `${user}${writable}${executable}`;
    const known = this.#rights.get(key);
    if (known === undefined) this.#rights.set(key, soFar);
    return known ?? soFar;
  }

  #asUserCodeSees(visit: Visit, entry: PageTableEntry): PageTableEntry {
    if (visit.depth > 0 || this.#userTop === null) return entry;
    const raw = this.#userTop.raw(entry.index - visit.first);
    if ((raw ^ entry.raw) !== EXECUTE_DISABLE) return entry;
    return visit.decoder.decode(raw, entry.address, entry.index);
  }

  async #readUserTop(part: { first: number; last: number }): Promise<void> {
    const { userRoot } = this.#options;
    if (userRoot === undefined || this.#mode.entryBytes !== 8) return;
    const top = await this.#reader.read({ table: userRoot, ...part });
    // A root that cannot be read is none: the rights then stay as the listed tables have them.
    if (!(top instanceof MemoryReadError)) this.#userTop = top;
  }

  #report(visit: Visit): void {
    const { onProgress } = this.#options;
    if (!onProgress) return;
    const { first, last } = this.#interval;
    const bits = this.#mode.linearAddressBits;
    const { shift, indexBits } = visit.decoder.format;
    const done = BigInt.asUintN(bits, visit.base) + (1n << BigInt(shift + indexBits));
    const end = done > last ? last + 1n : done;
    onProgress({
      address: canonicalize(BigInt.asUintN(bits, end - 1n), bits) + 1n,
      fraction: Number(end - first) / Number(last - first + 1n),
      tables: this.#tables,
      pages: this.#pages,
    });
  }
}

/** What pages have in common whose entries differ in their frame alone. */
type PageTraits = Pick<ListedPage, "leaf" | "effective" | "decidedBy">;
