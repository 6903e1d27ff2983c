import { addressNotation, parseAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const WITH_UNIT = /^([0-9]+)\s*([KMGT])(?:iB|B)?$/i;

/**
 * Turns a length as users write it into bytes: `4096`, `0x1000`, `64K`, `1M`, `2 MiB`.
 *
 * @throws {InvalidArgumentError} if the text is not a length above 0
 *
 * @example Usage
 * ```ts
 * import { parseSize } from "@pagewalk/pagewalk/cli";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseSize("1M"), 0x10_0000);
 * ```
 */
export function parseSize(text: string): number {
  const match = WITH_UNIT.exec(text.trim());
  const bytes = match ? Number(match[1]) * UNITS[match[2]!.toUpperCase()]! : fromNumber(text);
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new InvalidArgumentError(
      `Not a length: "${text}"; write bytes such as 4096 or 0x1000, or 64K, 1M, 2G`,
      text,
    );
  }
  return bytes;
}

function fromNumber(text: string): number {
  // "16B" are bytes to some, and hexadecimal to nobody.
  if (addressNotation(text) === "hexDigits") return NaN;
  try {
    return Number(parseAddress(text));
  } catch (error) {
    if (error instanceof InvalidArgumentError) return NaN;
    throw error;
  }
}
