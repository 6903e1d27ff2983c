import { InvalidArgumentError } from "../core/errors.ts";
import { BOOLEAN, checkOptions, given, OBJECT, type OptionShape } from "../core/options.ts";
import type { AddressRange } from "../translate/address_range.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import { diffEntries, type FieldChange } from "../translate/entry_diff.ts";
import {
  LIST_SHAPE,
  type ListOptions,
  type ListProgress,
  listTables,
} from "../translate/listing.ts";
import type {
  Listed,
  ListedShared,
  ListedSpan,
  ListedTruncated,
  ListedUnreadable,
} from "../translate/listing_records.ts";
import type { PageTableSource } from "./snapshot.ts";

/** An entry that one side has and the other has not. */
export interface EntryCame extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "appeared" | "vanished";
  /** The entry, on the side that has it. */
  readonly entry: PageTableEntry;
}

/** An entry that both sides have, with other bits. */
export interface EntryChanged extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "changed";
  /** The entry before. */
  readonly before: PageTableEntry;
  /** The entry now. */
  readonly after: PageTableEntry;
  /** The bits that flipped. */
  readonly flipped: bigint;
  /** The fields that changed. */
  readonly fields: readonly FieldChange[];
}

/** Addresses of which one side is not known, so that they could not be compared. */
export interface NotCompared extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "notCompared";
  /** Which side: its table could not be read, or its listing ended. */
  readonly side: "before" | "after";
  /** What the listing of that side says. */
  readonly record: ListedUnreadable | ListedTruncated;
}

/** What {@linkcode diff} yields. */
export type EntryDifference = EntryCame | EntryChanged | NotCompared;

/** Options of {@linkcode diff}. */
export interface DiffOptions extends Pick<ListOptions, "signal" | "onProgress" | "maxTables"> {
  /** Compare only these addresses. */
  range?: AddressRange;
  /**
   * Report entries of which only the accessed or dirty bit changed. A running guest sets them all the
   * time.
   *
   * @default {false}
   */
  accessedAndDirty?: boolean;
}

const DIFF_SHAPE: OptionShape<DiffOptions> = {
  signal: LIST_SHAPE.signal,
  onProgress: LIST_SHAPE.onProgress,
  maxTables: LIST_SHAPE.maxTables,
  range: OBJECT,
  accessedAndDirty: BOOLEAN,
};

/**
 * Compares two states of an address space entry by entry, in address order: which entries appeared,
 * vanished or changed, and which of their bits flipped. Either side may be a snapshot or a running guest.
 * Entries are matched by the addresses they are for, so tables may have moved. What is in a table that
 * serves the same several addresses on both sides is compared once.
 *
 * @throws {InvalidArgumentError} if the two sides page in different modes
 *
 * @example Usage
 * ```ts
 * import { diff, pagingContext, snapshot } from "@pagewalk/pagewalk";
 * import { PageTableBuilder, ramRange, registersFor, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
 * const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
 * tables.map(0x7f1234567000n, 0x9000n, "4K", { user: true });
 * const context = pagingContext(registersFor(tables));
 *
 * const before = await snapshot(memory, context);
 * tables.setRights(0x7f1234567000n, 1, { user: false });
 * const [change] = await Array.fromAsync(diff(before, { memory, context }));
 * assert(change?.kind === "changed");
 * assertEquals(change.fields.map((field) => field.linuxName), ["_PAGE_USER"]);
 * ```
 */
export async function* diff(
  before: PageTableSource,
  after: PageTableSource,
  options: DiffOptions = {},
): AsyncGenerator<EntryDifference> {
  checkOptions(options, "the options of a comparison", DIFF_SHAPE);
  const { context } = after;
  const { mode, spans } = context;
  if (before.context.mode !== mode) {
    throw new InvalidArgumentError(
      `Cannot compare ${before.context.mode} with ${mode} paging: their entries mean different things`,
      [before.context, after.context],
    );
  }
  const ignored = options.accessedAndDirty ? 0n : spans[0]?.hardwareBits ?? 0n;
  const old = new RecordStream(before, options);
  const now = new RecordStream(after, options);
  /** Up to here one side is not known, so what the other has is not a difference. */
  let unknownUntil = 0n;
  for (;;) {
    options.signal?.throwIfAborted();
    const [a, b] = [await old.peek(), await now.peek()];
    if (a === null && b === null) return;
    const order = a === null ? 1 : b === null ? -1 : compare(a, b);
    const here = [order <= 0 ? a : null, order >= 0 ? b : null] as const;
    const [first, second] = here.map((record) => record?.kind === "shared" ? record : null);
    const isAlike = first && second && first.sharedWith === second.sharedWith;
    const isHidden = (here[0] ?? here[1]!).address < unknownUntil;
    if (!isAlike && !isHidden && (first || second)) {
      // One side lists a table here that the other listed elsewhere: compare them here.
      if (first) old.expand(first);
      if (second) now.expand(second);
      continue;
    }
    if (here[0]) old.skip();
    if (here[1]) now.skip();
    if (isHidden) continue;
    const unknown = here.find((record) => record !== null && isUnknown(record));
    if (unknown) unknownUntil = unknown.address + BigInt(unknown.lengthBytes);
    yield* differences(...here);
    if (unknown?.kind === "truncated") return; // Of everything after it nothing is known.
  }

  function* differences(a: Listed | null, b: Listed | null): Generator<EntryDifference> {
    const isSameHole = a?.kind === "unreadable" && b?.kind === "unreadable" && a.table === b.table;
    if (!isSameHole) {
      if (a && isUnknown(a)) yield notCompared("before", a);
      if (b && isUnknown(b)) yield notCompared("after", b);
    }
    const [was, is] = [entryOf(a), entryOf(b)];
    if (was === null && is === null) return;
    const { address, lengthBytes } = (a ?? b)!;
    if (was === null || is === null) {
      const kind = was === null ? "appeared" : "vanished";
      yield { kind, address, lengthBytes, entry: (was ?? is)! };
      return;
    }
    const flipped = was.raw ^ is.raw;
    const isThere = was.kind !== "notPresent" && is.kind !== "notPresent";
    const counts = isThere ? flipped & ~ignored : flipped;
    if (counts === 0n) return;
    const fields = diffEntries(was.raw, is.raw, is.level, context);
    yield { kind: "changed", address, lengthBytes, before: was, after: is, flipped, fields };
  }
}

function notCompared(
  side: "before" | "after",
  record: ListedUnreadable | ListedTruncated,
): NotCompared {
  const { address, lengthBytes } = record;
  return { kind: "notCompared", address, lengthBytes, side, record };
}

function isUnknown(record: Listed): record is ListedUnreadable | ListedTruncated {
  return record.kind === "unreadable" || record.kind === "truncated";
}

function entryOf(record: Listed | null): PageTableEntry | null {
  switch (record?.kind) {
    case "page":
    case "table":
    case "notPresent":
    case "reservedBits":
      return record.entry;
    default:
      return null;
  }
}

/**
 * The order in which records come: by address, tables before what they hold. A table's entry and what
 * is said of the table itself have the same span, so the entry comes first.
 */
function compare(a: Listed, b: Listed): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if (a.lengthBytes !== b.lengthBytes) return b.lengthBytes - a.lengthBytes;
  return Number(isAboutTable(a)) - Number(isAboutTable(b));
}

function isAboutTable({ kind }: Listed): boolean {
  return kind === "shared" || kind === "unreadable" || kind === "truncated";
}

/** The records of one side, one at a time; mentions of shared tables can be looked into. */
class RecordStream {
  readonly #source: PageTableSource;
  readonly #options: ListOptions;
  readonly #listings: AsyncIterator<Listed>[];
  /** How many more tables may be visited for looking into shared ones: loops have no end. */
  #tablesLeft: number;
  #head: Listed | null = null;

  constructor(source: PageTableSource, options: DiffOptions) {
    const { signal, maxTables, range = {} } = options;
    this.#source = source;
    this.#options = {
      ...signal && { signal },
      ...given({ maxTables }),
      notPresent: true,
      tables: true,
    };
    this.#tablesLeft = maxTables ?? 131_072;
    const { onProgress } = options;
    this.#listings = [this.#list(range, { ...this.#options, ...onProgress && { onProgress } })];
  }

  async peek(): Promise<Listed | null> {
    while (this.#head === null && this.#listings.length > 0) {
      const { done, value } = await this.#listings.at(-1)!.next();
      if (done) this.#listings.pop();
      else this.#head = value;
    }
    return this.#head;
  }

  skip(): void {
    this.#head = null;
  }

  /** Puts what a shared table holds in place of its mention. */
  expand({ address, lengthBytes, level }: ListedShared): void {
    this.#head = null;
    this.#listings.push(this.#below({ start: address, lengthBytes }, level));
  }

  async *#list(range: AddressRange, options: ListOptions): AsyncGenerator<Listed> {
    const { memory, context } = this.#source;
    for await (const batch of listTables(memory, context, range, options)) yield* batch;
  }

  /** Lists what the tables of a level and below hold in a range. */
  async *#below(range: AddressRange, level: number): AsyncGenerator<Listed> {
    let visited = 0;
    const maxTables = Math.max(0, this.#tablesLeft);
    const onProgress = ({ tables }: ListProgress) => {
      this.#tablesLeft -= tables - visited;
      visited = tables;
    };
    for await (const record of this.#list(range, { ...this.#options, maxTables, onProgress })) {
      const entry = entryOf(record);
      if (entry === null || entry.level <= level) yield record;
    }
  }
}
