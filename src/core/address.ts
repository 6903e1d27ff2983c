import { InvalidArgumentError } from "./errors.ts";

/**
 * What every function takes for an address: a bigint, a string as {@linkcode addressNotation} tells them
 * apart, or a number up to 2^53 - 1. A larger number is refused, since it was already rounded.
 */
export type AddressLike = bigint | number | string;

/** The last address there is. */
export const MAX_ADDRESS = 0xffff_ffff_ffff_ffffn;
/** Digits of an address, grouped or not, without a prefix. */
const DIGITS = /^[0-9a-fA-F]+(?:[_`][0-9a-fA-F]+)*$/;

/**
 * How the text of an address is read: `0x…` by its `prefix`; with `leadingZeros` in hexadecimal, as
 * `info mem`, `info tlb` and `/proc/PID/maps` print addresses; with `hexDigits` among its digits, or
 * grouped by a backquote as WinDbg does, in hexadecimal too; and with nothing that tells, as a `decimal`
 * number.
 */
export type AddressNotation = "prefix" | "leadingZeros" | "hexDigits" | "decimal";

/**
 * Says how a text is read as an address; null if it is none. A short word of the letters a to f alone is
 * none, as it is more likely a name.
 *
 * @example Usage
 * ```ts
 * import { addressNotation } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(addressNotation("0x400000"), "prefix");
 * assertEquals(addressNotation("0000000000400000"), "leadingZeros");
 * assertEquals(addressNotation("7f1234567000"), "hexDigits");
 * assertEquals(addressNotation("400000"), "decimal");
 * assertEquals(addressNotation("beef"), null);
 * ```
 */
export function addressNotation(text: string): AddressNotation | null {
  const typed = text.trim();
  if (/^0x/i.test(typed)) return DIGITS.test(typed.slice(2)) ? "prefix" : null;
  if (!DIGITS.test(typed)) return null;
  if (/^0[0-9a-f_`]/i.test(typed)) return "leadingZeros";
  if (/^[0-9_]+$/.test(typed)) return "decimal";
  return /[0-9]/.test(typed) || typed.length >= 8 ? "hexDigits" : null;
}

/**
 * Turns an {@linkcode AddressLike} into a bigint between 0 and 2^64 - 1. Digits may be grouped with
 * `_`, or with a backquote as WinDbg prints them. Text is read as {@linkcode addressNotation} says:
 * leading zeros and the digits a to f mean hexadecimal.
 *
 * @throws {InvalidArgumentError} if the text is not a number, the number was rounded or is out of range
 *
 * @example Usage
 * ```ts
 * import { parseAddress } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseAddress("0x7f12_3456_7000"), 0x7f1234567000n);
 * assertEquals(parseAddress("0000000000400000"), 0x400000n);
 * assertEquals(parseAddress(4096), 0x1000n);
 * ```
 */
export function parseAddress(input: AddressLike): bigint {
  const value = typeof input === "string"
    ? fromText(input)
    : typeof input === "number"
    ? fromNumber(input)
    : input;
  if (typeof value !== "bigint") {
    throw new InvalidArgumentError(`Not an address: ${String(input)} is a ${typeof input}`, input);
  }
  if (value < 0n || value > MAX_ADDRESS) {
    throw new InvalidArgumentError(`Address out of range: ${input} does not fit in 64 bits`, input);
  }
  return value;
}

function fromText(input: string): bigint {
  const text = input.trim();
  const digits = text.replaceAll(/[_`]/g, "");
  switch (addressNotation(text)) {
    case "prefix":
    case "decimal":
      return BigInt(digits);
    case "leadingZeros":
    case "hexDigits":
      return BigInt(`0x${digits}`);
  }
  const hint = DIGITS.test(text) ? `; hexadecimal needs a prefix: 0x${text}` : "";
  throw new InvalidArgumentError(`Not an address: "${input}"${hint}`, input);
}

function fromNumber(input: number): bigint {
  if (!Number.isInteger(input)) {
    throw new InvalidArgumentError(`Not an address: ${input} is not a whole number`, input);
  }
  if (!Number.isSafeInteger(input)) {
    const rounded = `0x${BigInt(input).toString(16)}`;
    throw new InvalidArgumentError(
      `Address ${rounded} is past 2^53-1, where a number is rounded: write a bigint such as ` +
        `0xffffffff81000000n, or a string such as "0xffffffff81000000"`,
      input,
    );
  }
  return BigInt(input);
}

/**
 * Writes an address as `0x…` in lower-case hexadecimal, without leading zeros unless `digits` asks
 * for a minimum.
 *
 * @example Usage
 * ```ts
 * import { formatAddress } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress(0x1000n), "0x1000");
 * assertEquals(formatAddress(0x1000n, 16), "0x0000000000001000");
 * ```
 */
export function formatAddress(address: bigint, digits = 1): string {
  return `0x${address.toString(16).padStart(digits, "0")}`;
}
