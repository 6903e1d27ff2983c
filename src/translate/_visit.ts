import { canonicalize } from "../core/canonical.ts";
import type { LinearInterval } from "./address_range.ts";
import type { LevelDecoder, PageTableEntry } from "../arch/x86/entry.ts";
import { type PagingMode, tableIndex } from "../arch/x86/modes.ts";
import type { RightsSoFar } from "../arch/x86/rights.ts";
import type { TableEntries } from "./table_reader.ts";

/** Where a listing takes place: the tables' shape, and the part of the address space. */
export interface ListedSpace {
  readonly mode: PagingMode;
  /** The decoder of each depth, the top table's first. */
  readonly decoders: readonly LevelDecoder[];
  readonly interval: LinearInterval;
}

/** A table being listed, between two of its entries. */
export interface Visit {
  /** How many tables lie above. */
  readonly depth: number;
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
  { mode, decoders, interval }: ListedSpace,
  depth: number,
  base: bigint,
): { first: number; last: number } {
  const { format } = decoders[depth]!;
  const start = BigInt.asUintN(mode.linearAddressBits, base);
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

/** The addresses that an entry covers. Only those of the root need their sign extended. */
export function spanOf(
  visit: Visit,
  entry: PageTableEntry,
  { linearAddressBits }: PagingMode,
): { address: bigint; lengthBytes: number } {
  const { shift } = visit.decoder.format;
  const address = visit.base + (BigInt(entry.index) << BigInt(shift));
  return {
    address: visit.depth === 0 ? canonicalize(address, linearAddressBits) : address,
    lengthBytes: 2 ** shift,
  };
}
