import { type AddressLike, MAX_ADDRESS, parseAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { ADDRESS, checkOptions, type OptionShape, wholeNumberFrom } from "../core/options.ts";

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
  if (lengthBytes === undefined) return { start, last: MAX_ADDRESS };
  const last = start + BigInt(lengthBytes) - 1n;
  if (last > MAX_ADDRESS) {
    throw new InvalidArgumentError(
      `${lengthBytes} bytes from 0x${start.toString(16)} go beyond the 64-bit address space`,
      range,
    );
  }
  return { start, last };
}
