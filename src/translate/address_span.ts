import type { LevelDecoder } from "./entry.ts";

/** A range of linear addresses that one top table serves. */
export interface AddressSpan {
  /** How many low bits of an address are translated. */
  readonly addressBits: number;
  /** What the bits above them must be: clear, set, or copies of the highest translated bit. */
  readonly extension: "zeros" | "ones" | "sign";
  /** How many of the highest bits are ignored, as they hold a tag. */
  readonly tagBits?: number;
  /** The top table, where it is not the regime's root: the kernel's, where it has a register of its own. */
  readonly table?: bigint;
  /** The length of an entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** An entry is present if one of these bits is set; they lie in its low 32 bits. */
  readonly presentBits: number;
  /** The bits that hardware sets by itself, accessed and dirty; they lie in the low 32 bits too. */
  readonly hardwareBits: bigint;
  /** The levels, from the root down; none where addresses are not translated. */
  readonly levels: readonly LevelDecoder[];
}

/** Addresses from the first to the last. */
export interface AddressInterval {
  /** The first one. */
  readonly first: bigint;
  /** The last one. */
  readonly last: bigint;
}

const END = 1n << 64n;

/** Says whether an address lies in a span: whether the bits above the translated ones are as they must be. */
export function covers(
  { addressBits, extension, tagBits = 0 }: AddressSpan,
  address: bigint,
): boolean {
  const bits = 64 - tagBits;
  const plain = tagBits === 0 ? address : BigInt.asUintN(bits, address);
  switch (extension) {
    case "zeros":
      return plain >> BigInt(addressBits) === 0n;
    case "ones":
      return plain >> BigInt(addressBits) === (1n << BigInt(bits - addressBits)) - 1n;
    case "sign": {
      const upper = plain >> BigInt(addressBits - 1);
      return upper === 0n || upper === (1n << BigInt(bits - addressBits + 1)) - 1n;
    }
  }
}

/** The whole address whose translated bits these are. */
export function extend({ addressBits, extension }: AddressSpan, address: bigint): bigint {
  switch (extension) {
    case "zeros":
      return BigInt.asUintN(addressBits, address);
    case "ones":
      return BigInt.asUintN(addressBits, address) | (END - (1n << BigInt(addressBits)));
    case "sign":
      return BigInt.asUintN(64, BigInt.asIntN(addressBits, address));
  }
}

/** The addresses of a span, in order: two intervals if the highest translated bit is copied. */
export function intervalsOf({ addressBits, extension }: AddressSpan): AddressInterval[] {
  const size = 1n << BigInt(addressBits);
  switch (extension) {
    case "zeros":
      return [{ first: 0n, last: size - 1n }];
    case "ones":
      return [{ first: END - size, last: END - 1n }];
    case "sign":
      return [{ first: 0n, last: size / 2n - 1n }, { first: END - size / 2n, last: END - 1n }];
  }
}

/**
 * Cuts a range down to what a span translates, without the bits that only extend an address: one
 * interval, since the addresses that are none lie in the middle. Null if the whole range lies outside.
 */
export function intervalIn(
  range: { start: bigint; last: bigint },
  span: AddressSpan,
): AddressInterval | null {
  const parts = intervalsOf(span).flatMap(({ first, last }) => {
    const from = range.start > first ? range.start : first;
    const to = range.last < last ? range.last : last;
    return from <= to ? [{ first: from, last: to }] : [];
  });
  if (parts.length === 0) return null;
  const plain = (address: bigint) => BigInt.asUintN(span.addressBits, address);
  return { first: plain(parts[0]!.first), last: plain(parts.at(-1)!.last) };
}
