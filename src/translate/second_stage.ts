import { CachingMemory } from "../memory/caching_memory.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { type AddressSpan, levelOf, type Regime } from "./regime.ts";
import type {
  SecondStage,
  SecondStageMemory,
  SecondStagePart,
  SecondStageRecord,
  TranslatedPages,
  TranslatedPagesOptions,
} from "./second_stage_rule.ts";
import type { Listed, ListedPage, ListedUnreadable } from "./listing_records.ts";
import { restrictedRights, type Right, type Rights } from "./rights.ts";
import { type Walk, walk } from "./walk.ts";

/** No stage has smaller pages, so that a read of less stays within one. */
const SMALLEST_PAGE = 4096;
const SMALLEST_SHIFT = 12;
/** A listing reads more tables than anyone would want to know the second stage's steps of. */
const MAX_RECORDS = 1024;

/**
 * Makes a regime the second stage of another: what a guest takes for physical addresses is translated by
 * it, for every table that is read and for the result.
 *
 * @example A guest whose memory lies elsewhere in the machine's
 * ```ts
 * import { nestedPaging, pagingContext, secondStage, walk } from "@pagewalk/pagewalk";
 * import { PageTableBuilder, ramRange, registersFor, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
 * const host = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
 * host.map(0x20_0000n, 0x40_0000n, "2M", { user: true, writable: true });
 * // The guest's tables, where the machine has them.
 * const inner = new SparseMemory({ ranges: [...memory.ranges] });
 * const guest = new PageTableBuilder("4-level", inner, { tablesAt: 0x20_0000n });
 * guest.map(0x7000n, 0x20_9000n, "4K", { user: true });
 * for (const { address, bytes } of inner.writtenRuns()) memory.writeBytes(address + 0x20_0000n, bytes);
 *
 * const stage2 = secondStage(nestedPaging(pagingContext(registersFor(host))));
 * const found = await walk(memory, { ...pagingContext(registersFor(guest)), stage2 }, 0x7123n);
 * assert(found.outcome === "mapped");
 * assertEquals([found.intermediateAddress, found.physicalAddress], [0x20_9123n, 0x40_9123n]);
 * assertEquals(found.secondStage?.length, 5);
 * ```
 */
export function secondStage(regime: Regime): SecondStage {
  const { mode, root, rules: { architecture, secondStageRestricts: restricts = [] } } = regime;
  const over = (memory: PhysicalMemory) => new TranslatedMemory(memory, regime);
  return {
    ...{ mode, root, architecture, restricts, over },
    pages: (memory, options) =>
      new SecondStagePages(() => over(new CachingMemory(memory)), restricts, options),
  };
}

/** Memory as a guest within a guest sees it. */
class TranslatedMemory implements SecondStageMemory {
  readonly records: SecondStageRecord[] = [];
  readonly layout: SecondStageMemory["layout"];
  readonly #memory: PhysicalMemory;
  readonly #regime: Regime;

  constructor(memory: PhysicalMemory, regime: Regime) {
    this.#memory = memory;
    this.#regime = regime;
    const [{ entryBytes, hardwareBits }] = regime.spans as [AddressSpan];
    this.layout = { entryBytes, hardwareBits };
  }

  /** Translates each page of the read, and reads it there. */
  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    for (let offset = 0; offset < lengthBytes;) {
      const at = address + BigInt(offset);
      const inPage = Number(at % BigInt(SMALLEST_PAGE));
      const length = Math.min(SMALLEST_PAGE - inPage, lengthBytes - offset);
      const found = await this.#translate("table", at, options);
      if (typeof found !== "bigint") throw found;
      if (length === lengthBytes) return await this.#memory.read(found, length, options);
      bytes.set(await this.#memory.read(found, length, options), offset);
      offset += length;
    }
    return bytes;
  }

  /** Translates the result of the first stage. */
  translate(address: bigint, options: ReadOptions = {}): Promise<bigint | MemoryReadError> {
    return this.#translate("result", address, options);
  }

  async part(address: bigint, options: ReadOptions = {}): Promise<SecondStagePart> {
    const found = await this.#walk(address, options);
    const end = endOf(found);
    return found.outcome === "mapped"
      ? { end, found: this.#answer("result", found), effective: found.effective }
      : { end, found: this.#answer("result", found) };
  }

  async #translate(
    of: SecondStageRecord["of"],
    address: bigint,
    options: ReadOptions,
  ): Promise<bigint | MemoryReadError> {
    const found = await this.#walk(address, options);
    if (this.records.length < MAX_RECORDS) this.records.push(recordOf(of, found));
    return this.#answer(of, found);
  }

  #walk(address: bigint, { signal }: ReadOptions): Promise<Walk> {
    const options = { recheck: false, ...signal && { signal } };
    return walk(this.#memory, this.#regime, address, options);
  }

  #answer(of: SecondStageRecord["of"], found: Walk): bigint | MemoryReadError {
    const { address } = found;
    if (found.outcome === "unreadable") return new MemoryReadError(found.failure, address, 1);
    if (found.outcome !== "mapped") {
      return refused(found, `is not mapped by ${found.mode}: ${found.outcome}`);
    }
    const { effective } = found;
    const { secondStageNeeds = [], secondStageResultNeeds } = this.#regime.rules;
    const needed = of === "result" ? secondStageResultNeeds ?? secondStageNeeds : secondStageNeeds;
    const missing = needed.filter((right) => effective[right] === false);
    if (missing.length === 0) return found.physicalAddress;
    return refused(found, `may not be touched: ${found.mode} denies ${missing.join(" and ")}`);
  }
}

/** The address after those that the same entry answers for. */
function endOf(found: Walk): bigint {
  const { address, regime } = found;
  if (found.outcome === "mapped") return alignedEnd(address, BigInt(found.pageSizeBytes));
  if (found.outcome === "nonCanonical" || found.outcome === "noTables") return 1n << 64n;
  const shift = levelOf(regime, found.level, address)?.format.shift ?? SMALLEST_SHIFT;
  return alignedEnd(address, 1n << BigInt(shift));
}

function alignedEnd(address: bigint, size: bigint): bigint {
  return address - address % size + size;
}

function refused({ address }: Walk, why: string): MemoryReadError {
  const message = `Guest-physical memory at 0x${address.toString(16)} ${why}`;
  return new MemoryReadError("secondStage", address, 1, { message });
}

function recordOf(of: SecondStageRecord["of"], found: Walk): SecondStageRecord {
  const { address, mode, root, outcome, steps } = found;
  const record = { of, address, mode, root, outcome, steps };
  if (found.outcome !== "mapped") return record;
  const { physicalAddress, pageSizeBytes, effective } = found;
  return { ...record, physicalAddress, pageSizeBytes, effective };
}

/** So many records make a batch. */
const BATCH = 512;
/** So many parts of pages are translated: one large page over small ones is 262,144 of them. */
const MAX_PARTS = 1 << 22;

/**
 * Translates the pages of a listing by a second stage: a page that the second stage maps by smaller ones comes
 * in so many parts, and what it does not map, or forbids, is unreadable.
 */
class SecondStagePages implements TranslatedPages {
  readonly #open: () => SecondStageMemory;
  readonly #restricts: readonly Right[];
  readonly #options: TranslatedPagesOptions;
  #parts = 0;

  /**
   * Prepares.
   *
   * @param open makes memory that keeps what it has read of the second stage's tables
   * @param restricts the rights that both stages have to give
   */
  constructor(
    open: () => SecondStageMemory,
    restricts: readonly Right[],
    options: TranslatedPagesOptions,
  ) {
    this.#open = open;
    this.#restricts = restricts;
    this.#options = options;
  }

  /** Whether there were so many pages that the rest is left out. */
  get isFull(): boolean {
    return this.#parts >= MAX_PARTS;
  }

  /** The records of a batch, with the machine's addresses. */
  async *translated(batch: readonly Listed[]): AsyncGenerator<Listed[]> {
    // Tables are read once for a batch, and again for the next.
    const tables = this.#open();
    const again = this.#options.recheck ? this.#open() : null;
    let records: Listed[] = [];
    for (const record of batch) {
      if (record.kind !== "page") {
        records.push(record);
        continue;
      }
      for await (const part of this.#partsOf(record, tables, again)) {
        records.push(part);
        if (records.length < BATCH) continue;
        yield records;
        records = [];
      }
      if (!this.isFull) continue;
      const { address, lengthBytes } = record;
      records.push({ kind: "truncated", address, lengthBytes, tables: this.#parts });
      break;
    }
    if (records.length > 0) yield records;
  }

  async *#partsOf(
    page: ListedPage,
    tables: SecondStageMemory,
    again: SecondStageMemory | null,
  ): AsyncGenerator<Listed> {
    const { signal } = this.#options;
    const options = signal ? { signal } : {};
    const end = page.physicalAddress + BigInt(page.lengthBytes);
    for (let at = page.physicalAddress; at < end && !this.isFull;) {
      signal?.throwIfAborted();
      this.#parts++;
      const part = await tables.part(at, options);
      const later = again === null ? part : await again.part(at, options);
      const partEnd = part.end < end ? part.end : end;
      const span = {
        address: page.address + (at - page.physicalAddress),
        lengthBytes: Number(partEnd - at),
      };
      yield sameParts(part, later)
        ? this.#record(page, span, part, at)
        : { kind: "changed", ...span };
      at = partEnd;
    }
  }

  /** Neighbours with the same leaf count as alike: where the second stage takes a right, it is another. */
  #rightsOf({ leaf, effective, decidedBy }: ListedPage, second: Rights | undefined): PageRights {
    const rights = restrictedRights({ leaf, effective, decidedBy }, second, this.#restricts);
    return rights.effective === effective ? rights : { ...rights, leaf: { ...leaf } };
  }

  #record(
    page: ListedPage,
    span: { address: bigint; lengthBytes: number },
    { found, effective }: SecondStagePart,
    at: bigint,
  ): ListedPage | ListedUnreadable {
    if (typeof found !== "bigint") {
      const { entry } = page;
      const { level } = entry;
      return { kind: "unreadable", ...span, level, table: at, failure: found.failure, entry };
    }
    const isWhole = span.lengthBytes === page.lengthBytes;
    return {
      ...page,
      ...span,
      physicalAddress: found,
      ...!isWhole && { pageSizeBytes: page.pageSizeBytes ?? page.lengthBytes },
      ...this.#rightsOf(page, effective),
    };
  }
}

/** The rights of a page, of which the second stage may leave less. */
type PageRights = Pick<ListedPage, "leaf" | "effective" | "decidedBy">;

function sameParts(one: SecondStagePart, other: SecondStagePart): boolean {
  const known = ({ found }: SecondStagePart) => typeof found === "bigint" ? found : found.failure;
  return known(one) === known(other) && one.end === other.end &&
    JSON.stringify(one.effective) === JSON.stringify(other.effective);
}
