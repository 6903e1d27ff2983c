import {
  BOOLEAN,
  checkOptions,
  FUNCTION,
  LIST,
  OBJECT,
  type OptionShape,
} from "../core/options.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "./address_range.ts";
import type { PageTableEntry } from "./entry.ts";
import { LIST_SHAPE, type ListOptions, listTables } from "./listing.ts";
import type { Listed, ListedPage, ListedSpan, ListedTable } from "./listing_records.ts";
import { ReservedRun } from "./_reserved_run.ts";
import type { Regime } from "./regime.ts";
import type { DecidingLevels, LeafRights, Rights } from "./rights.ts";

/** What the pages of a run have in common. Whether one was accessed or written is its own matter. */
export type RunRights = Omit<LeafRights, "accessed" | "dirty">;

/** A run of like pages: neighbours with the same size, rights and cache type. */
export interface Mapping extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "mapping";
  /** The guest-physical address of the first page, or null if the pages are not one after the other. */
  readonly physicalAddress: bigint | null;
  /** The size of each page in bytes. */
  readonly pageSizeBytes: number;
  /** How many pages there are. */
  readonly pages: number;
  /** What the last entry of each page says. */
  readonly leaf: RunRights | LeafRights;
  /** What all levels allow together. */
  readonly effective: Rights;
  /** The level that decides each right. */
  readonly decidedBy: DecidingLevels;
  /** How the processor may cache the pages, by the table of cache types that the options name. */
  readonly cacheType: string;
  /** The entry that maps the first page. */
  readonly entry: PageTableEntry;
}

/** What {@linkcode mappings} yields: runs of pages, and whatever else there is to know. */
export type MappingRecord =
  | Mapping
  | Exclude<Listed, ListedPage | ListedTable>;

/** Options of {@linkcode mappings}. */
export interface MappingsOptions extends Omit<ListOptions, "tables"> {
  /**
   * One record for each page instead of runs, with its entry.
   *
   * @default {false}
   */
  pages?: boolean;
  /**
   * End a run where the frames stop being one after the other.
   *
   * @default {false}
   */
  contiguous?: boolean;
  /** End a run at these addresses: where memory areas begin and end. @default nowhere */
  boundaries?: ReadonlySet<bigint>;
  /**
   * Leave out the pages that this refuses. Other records are kept.
   *
   * @default every page
   */
  filter?: (page: ListedPage) => boolean;
  /**
   * What the guest's table of cache types holds (x86: the PAT), which no monitor tells.
   *
   * @default what Linux puts there (x86: `PAT_OF_LINUX`)
   */
  pat?: readonly string[];
}

const { tables: _, ...LIST_CHECKS } = LIST_SHAPE;

/** The checks of {@linkcode MappingsOptions}. */
export const MAPPINGS_SHAPE: OptionShape<MappingsOptions> = {
  ...LIST_CHECKS,
  pages: BOOLEAN,
  contiguous: BOOLEAN,
  boundaries: OBJECT,
  filter: FUNCTION,
  pat: LIST,
};

/**
 * Lists what an address space maps, as runs of like pages in address order. Tables that cannot be read,
 * entries with reserved bits and tables that were listed before come as records of their own.
 *
 * @throws {InvalidArgumentError} if the range cannot be used
 *
 * @example Usage
 * ```ts
 * import { mappings, pagingContext } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const range = { start: 0x7f1234567000n, lengthBytes: 4096 };
 * for await (const run of mappings(guest.memory, context, range)) {
 *   assertEquals([run.kind, run.address], ["mapping", 0x7f1234567000n]);
 * }
 * ```
 */
export async function* mappings(
  memory: PhysicalMemory,
  regime: Regime,
  range: AddressRange = {},
  options: MappingsOptions = {},
): AsyncGenerator<MappingRecord> {
  checkOptions(options, "the options of a listing", MAPPINGS_SHAPE);
  const { pages = false, contiguous = false, boundaries, filter, pat, ...list } = options;
  const { rules } = regime;
  const types = pat ?? rules.cacheTypes;
  const cacheTypeOf: CacheTypeOf = (leaf) => types[rules.cacheIndexOf(leaf)] ?? "unknown";
  const runs = new RunBuilder(cacheTypeOf, contiguous, boundaries);
  const reserved = new ReservedRun(rules);
  for await (const batch of listTables(memory, regime, range, list)) {
    for (const record of batch) {
      list.signal?.throwIfAborted();
      if (record.kind === "table") continue;
      if (record.kind === "reservedBits" && !pages) {
        yield* runs.end();
        yield* reserved.add(record);
        continue;
      }
      yield* reserved.end();
      if (record.kind !== "page") {
        yield* runs.end();
        yield record;
      } else if (filter && !filter(record)) {
        yield* runs.end();
      } else if (pages) {
        yield pageMapping(record, cacheTypeOf);
      } else {
        yield* runs.add(record);
      }
    }
  }
  yield* runs.end();
  yield* reserved.end();
}

/** How the processor may cache a page, by what its entry says. */
type CacheTypeOf = (leaf: RunRights | LeafRights) => string;

/** A run that is still growing. */
interface OpenRun {
  readonly first: ListedPage;
  readonly rights: RunRights;
  /** The linear and the guest-physical address after the last page. */
  end: bigint;
  physicalEnd: bigint;
  isContiguous: boolean;
  /** The rights of the last page that was found to be alike: most often the next page's too. */
  lastLeaf: LeafRights;
}

/** Joins like pages. */
class RunBuilder {
  readonly #cacheTypeOf: CacheTypeOf;
  readonly #contiguous: boolean;
  readonly #boundaries: ReadonlySet<bigint> | undefined;
  #run: OpenRun | null = null;

  constructor(
    cacheTypeOf: CacheTypeOf,
    contiguous: boolean,
    boundaries: ReadonlySet<bigint> | undefined,
  ) {
    this.#boundaries = boundaries;
    this.#cacheTypeOf = cacheTypeOf;
    this.#contiguous = contiguous;
  }

  /** Takes the next page, and returns the run that it ends, if it does. */
  *add(page: ListedPage): Generator<Mapping> {
    const run = this.#run;
    if (run !== null && this.#continues(run, page)) {
      run.isContiguous &&= page.physicalAddress === run.physicalEnd;
      run.end += BigInt(page.lengthBytes);
      run.physicalEnd = page.physicalAddress + BigInt(page.lengthBytes);
      run.lastLeaf = page.leaf;
      return;
    }
    yield* this.end();
    const { accessed: _a, dirty: _d, ...rights } = page.leaf;
    this.#run = {
      first: page,
      rights,
      end: page.address + BigInt(page.lengthBytes),
      physicalEnd: page.physicalAddress + BigInt(page.lengthBytes),
      isContiguous: true,
      lastLeaf: page.leaf,
    };
  }

  /** Ends the run and returns it, if there is one. */
  *end(): Generator<Mapping> {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
    const { first, rights } = run;
    const lengthBytes = Number(run.end - first.address);
    const pageSizeBytes = first.pageSizeBytes ?? first.lengthBytes;
    yield {
      kind: "mapping",
      address: first.address,
      lengthBytes,
      physicalAddress: run.isContiguous ? first.physicalAddress : null,
      pageSizeBytes,
      pages: Math.ceil(lengthBytes / pageSizeBytes),
      leaf: rights,
      effective: first.effective,
      decidedBy: first.decidedBy,
      cacheType: this.#cacheTypeOf(rights),
      entry: first.entry,
    };
  }

  #continues(run: OpenRun, page: ListedPage): boolean {
    const { first } = run;
    if (page.address !== run.end || page.lengthBytes !== first.lengthBytes) return false;
    if (page.pageSizeBytes !== first.pageSizeBytes) return false;
    if (this.#contiguous && page.physicalAddress !== run.physicalEnd) return false;
    if (this.#boundaries?.has(page.address)) return false;
    if (page.leaf === run.lastLeaf) return true;
    return sameFields(run.rights, page.leaf) && sameFields(first.effective, page.effective) &&
      sameFields(first.decidedBy, page.decidedBy);
  }
}

/** Says whether every field of the first is the same in the second. */
function sameFields<T extends object>(first: T, second: T): boolean {
  for (const name in first) if (first[name] !== second[name]) return false;
  return true;
}

function pageMapping(page: ListedPage, cacheTypeOf: CacheTypeOf): Mapping {
  const { address, lengthBytes, physicalAddress, leaf, effective, decidedBy, entry } = page;
  return {
    kind: "mapping",
    address,
    lengthBytes,
    physicalAddress,
    pageSizeBytes: page.pageSizeBytes ?? lengthBytes,
    pages: 1,
    leaf,
    effective,
    decidedBy,
    cacheType: cacheTypeOf(leaf),
    entry,
  };
}
