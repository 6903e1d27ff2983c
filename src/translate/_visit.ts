import { type AddressInterval, type AddressSpan, extend } from "./regime.ts";
import { type LevelDecoder, type PageTableEntry, tableIndex } from "./entry.ts";
import type { RightsSoFar } from "./rights.ts";
import type { TableEntries } from "./table_reader.ts";

/** Where a listing takes place: the tables' shape, and the part of the address space. */
export interface ListedSpace {
  readonly span: AddressSpan;
  /** The translated bits of the first and the last address. */
  readonly interval: AddressInterval;
}

/** A table being listed, between two of its entries. */
export interface Visit {
  /** How many levels lie above. */
  readonly depth: number;
  readonly span: AddressSpan;
  readonly decoder: LevelDecoder;
  /** The table's physical address. */
  readonly table: bigint;
  /** The linear address of the table's first entry. */
  readonly base: bigint;
  /** The first and the last index that lie in the range. */
  readonly first: number;
  readonly last: number;
  readonly entries: TableEntries;
  /** What the entries above leave of the rights. */
  readonly soFar: RightsSoFar;
  /** The index to list next. */
  next: number;
}

/** The indexes of the table at a depth and a linear address that lie in the range. */
export function partOf(
  { span, interval }: ListedSpace,
  depth: number,
  base: bigint,
): { first: number; last: number } {
  const { format } = span.levels[depth]!;
  const start = BigInt.asUintN(span.addressBits, base);
  const end = start + (1n << BigInt(format.shift + format.indexBits));
  const { first, last } = interval;
  return {
    first: first <= start ? 0 : tableIndex(first, format),
    last: last >= end - 1n ? 2 ** format.indexBits - 1 : tableIndex(last, format),
  };
}

/** Decodes the entry of a table at an index. */
export function entryAt({ decoder, entries, first, table }: Visit, index: number): PageTableEntry {
  const address = table + BigInt(index * decoder.entryBytes);
  return decoder.decode(entries.raw(index - first), address, index);
}

/** How deep the table lies that an entry points to. */
export function depthBelow(visit: Visit, entry: PageTableEntry): number {
  return visit.depth + 1 + (entry.skippedLevels ?? 0);
}

/** The addresses that an entry covers. Only those of the root need the bits above the translated ones. */
export function spanOf(
  visit: Visit,
  entry: PageTableEntry,
): { address: bigint; lengthBytes: number } {
  const { shift } = visit.decoder.format;
  const address = visit.base + (BigInt(entry.index) << BigInt(shift));
  return {
    address: visit.depth === 0 ? extend(visit.span, address) : address,
    lengthBytes: 2 ** shift,
  };
}
