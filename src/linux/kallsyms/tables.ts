/**
 * How the kernel stores a symbol's address in its table of 32-bit offsets (kernel/kallsyms.c,
 * kallsyms_sym_address):
 * - `percpu`: 0 and above are the value itself, below 0 is `base - 1 - offset` (x86-64 until 6.14);
 * - `base`: the base plus the unsigned offset (from 6.15);
 * - `self`: the place of the offset itself plus the offset (from 7.0).
 */
export type OffsetKind = "percpu" | "base" | "self";

/** Where the tables of kallsyms lie, as virtual addresses. */
export interface KallsymsTables {
  /** How many symbols there are. */
  readonly count: number;
  /** The offsets: 32 bits each, in address order. */
  readonly offsets: bigint;
  /** How an offset becomes an address. */
  readonly offsetKind: OffsetKind;
  /** `kallsyms_relative_base`; 0 where offsets are relative to themselves. */
  readonly relativeBase: bigint;
  /** The compressed names, in address order. */
  readonly names: bigint;
  /** Where the names of every 256th symbol begin: 32 bits each. */
  readonly markers: bigint;
  /** Symbol numbers in the order of the names: 3 bytes each, the highest first; null before 6.2. */
  readonly seqs: bigint | null;
  /** 256 NUL-terminated texts that bytes of names stand for. */
  readonly tokenTable: bigint;
  /** The length of the names and of the token table in bytes, as far as they are read. */
  readonly namesBytes: number;
}

/** No kernel has more symbols: 7.3 has 200,000. It bounds what garbage can make us read. */
export const MAX_SYMBOLS = 1 << 21;

/** How many symbols share a marker. */
export const BLOCK_SYMBOLS = 256;

/** The longest name that the kernel stores (KSYM_NAME_LEN since 6.1), with its type character. */
export const MAX_NAME_BYTES = 513;

/** How many markers a table of so many symbols has. */
export function markerCount(symbols: number): number {
  return Math.ceil(symbols / BLOCK_SYMBOLS);
}
