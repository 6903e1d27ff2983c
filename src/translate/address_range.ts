import { type AddressLike, parseAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { ADDRESS, checkOptions, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import { isCanonical, type LinearAddressBits } from "../core/canonical.ts";

/** A run of linear addresses. */
export interface AddressRange {
  /**
   * The first linear address.
   *
   * @default {0}
   */
  readonly start?: AddressLike;
  /**
   * The length in bytes.
   *
   * @default up to the end of the address space
   */
  readonly lengthBytes?: number;
}

/** The addresses of a range that paging translates, without the bits that only extend the sign. */
export interface LinearInterval {
  /** The first one. */
  readonly first: bigint;
  /** The last one. */
  readonly last: bigint;
}

const END = 1n << 64n;

const RANGE_SHAPE: OptionShape<AddressRange> = {
  start: ADDRESS,
  lengthBytes: wholeNumberFrom(1, Infinity),
};

const INSTEAD = {
  end: "lengthBytes: end - start",
  length: "lengthBytes",
  size: "lengthBytes",
  address: "start",
  first: "start",
  filter: "a second argument with it, after the range",
};

/**
 * Checks a range and returns its first and last address.
 *
 * @throws {InvalidArgumentError} if it is empty or reaches past 64 bits
 */
export function parseRange(range: AddressRange): { start: bigint; last: bigint } {
  checkOptions(range, "the range", RANGE_SHAPE, INSTEAD);
  const start = parseAddress(range.start ?? 0n);
  const { lengthBytes } = range;
  if (lengthBytes === undefined) return { start, last: END - 1n };
  const last = start + BigInt(lengthBytes) - 1n;
  if (last >= END) {
    throw new InvalidArgumentError(
      `${lengthBytes} bytes from 0x${start.toString(16)} reach past the end of 64 bits`,
      range,
    );
  }
  return { start, last };
}

/**
 * Cuts a range down to what a mode translates: one interval, since the addresses that are none lie
 * in the middle. Returns null if the whole range lies among those.
 */
export function linearInterval(
  range: { start: bigint; last: bigint },
  bits: LinearAddressBits,
): LinearInterval | null {
  const size = 1n << BigInt(bits);
  if (bits === 32) {
    if (range.start >= size) return null;
    return { first: range.start, last: range.last < size ? range.last : size - 1n };
  }
  const half = size >> 1n;
  const upper = END - half;
  const first = isCanonical(range.start, bits) ? range.start : upper;
  const last = isCanonical(range.last, bits) ? range.last : half - 1n;
  if (first > last) return null;
  return { first: BigInt.asUintN(bits, first), last: BigInt.asUintN(bits, last) };
}
