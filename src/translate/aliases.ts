import { type AddressLike, parseAddress } from "../core/address.ts";
import { checkOptions, OBJECT, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "./address_range.ts";
import type { PageTableEntry } from "./entry.ts";
import { LIST_SHAPE, type ListOptions, listTables } from "./listing.ts";
import type { Listed, ListedSpan } from "./listing_records.ts";
import type { Regime } from "./regime.ts";
import type { DecidingLevels, LeafRights, Rights } from "./rights.ts";

/** A linear address that reaches a physical one. */
export interface Alias {
  /** Which kind of record this is. */
  readonly kind: "alias";
  /** The linear address that translates to the physical address asked for. */
  readonly address: bigint;
  /** The size of the page that it lies in, in bytes. */
  readonly pageSizeBytes: number;
  /** The entry that maps the page; none with paging off. */
  readonly entry?: PageTableEntry;
  /** What that entry says. */
  readonly leaf: LeafRights;
  /** What all levels allow together. */
  readonly effective: Rights;
  /** The level that decides each right, on the first way to a table that serves several addresses. */
  readonly decidedBy: DecidingLevels;
}

/** What {@linkcode aliases} yields: the aliases, and what keeps it from being sure that these are all. */
export type AliasRecord = Alias | Extract<Listed, { kind: "unreadable" | "truncated" }>;

/** Options of {@linkcode aliases}. */
export interface AliasesOptions extends Pick<ListOptions, "signal" | "onProgress" | "maxTables"> {
  /** Look only here. */
  range?: AddressRange;
  /**
   * End after so many aliases. KASAN maps terabytes of its shadow to one page of zeros.
   *
   * @default {10_000}
   */
  maxAliases?: number;
}

/** The checks of {@linkcode AliasesOptions}. */
export const ALIASES_SHAPE: OptionShape<AliasesOptions> = {
  signal: LIST_SHAPE.signal,
  onProgress: LIST_SHAPE.onProgress,
  maxTables: LIST_SHAPE.maxTables,
  range: OBJECT,
  maxAliases: wholeNumberFrom(0),
};

/**
 * Finds every linear address that reaches a guest-physical one, with its rights, by listing all
 * tables. A table that serves several addresses is searched once. At the end of `maxAliases` comes a
 * `truncated` record.
 *
 * @throws {InvalidArgumentError} if the address is none
 *
 * @example Usage
 * ```ts
 * import { aliases, pagingContext, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const page = await walk(guest.memory, context, 0x7f1234567000n);
 * assert(page.outcome === "mapped");
 * const found = [];
 * for await (const alias of aliases(guest.memory, context, page.physicalAddress)) {
 *   if (alias.kind === "alias") found.push(alias.address);
 * }
 * assertEquals(found[0], 0x7f1234567000n);
 * ```
 */
export async function* aliases(
  memory: PhysicalMemory,
  regime: Regime,
  physicalAddress: AddressLike,
  options: AliasesOptions = {},
): AsyncGenerator<AliasRecord> {
  checkOptions(options, "the options of a search", ALIASES_SHAPE);
  const target = parseAddress(physicalAddress);
  const { range = {}, maxAliases = 10_000, ...list } = options;
  const found: Alias[] = [];
  for await (const batch of listTables(memory, regime, range, list)) {
    for (const record of batch) {
      for (const alias of aliasesIn(record, target, found)) {
        if (found.length >= maxAliases) {
          const { address, lengthBytes } = record;
          yield { kind: "truncated", address, lengthBytes, tables: 0 };
          return;
        }
        found.push(alias);
        yield alias;
      }
      if (record.kind === "unreadable" || record.kind === "truncated") yield record;
    }
  }
}

function* aliasesIn(
  record: Listed,
  target: bigint,
  found: readonly Alias[],
): Generator<Alias> {
  switch (record.kind) {
    case "page": {
      const { leaf, effective, decidedBy, entry } = record;
      const address = addressIn(record, record.physicalAddress, target);
      if (address === null) return;
      const pageSizeBytes = record.pageSizeBytes ?? record.lengthBytes;
      yield { kind: "alias", address, pageSizeBytes, entry, leaf, effective, decidedBy };
      return;
    }
    case "shared": {
      // What is there was found before, at the address where the table was listed.
      const end = record.sharedWith + BigInt(record.lengthBytes);
      const there = found.filter(({ address }) => address >= record.sharedWith && address < end);
      for (const alias of there) {
        yield { ...alias, address: alias.address - record.sharedWith + record.address };
      }
    }
  }
}

/** The linear address of a physical one, if a span that starts at another one holds it. */
function addressIn(
  { address, lengthBytes }: ListedSpan,
  physicalStart: bigint,
  target: bigint,
): bigint | null {
  const offset = target - physicalStart;
  return offset >= 0n && offset < BigInt(lengthBytes) ? address + offset : null;
}
