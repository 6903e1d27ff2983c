import { type AddressNotation, addressNotation, parseAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { addressArgument } from "./options.ts";
import { parseSize } from "./parse_size.ts";

/**
 * Turns a range as users write it into its first address and its length: `0x1000-0x1fff` with the last
 * address, as listings print it, or `0x1000+4K` with a length. Without `0x`, as `/proc/PID/maps` and
 * `info mem` print `00001000-00002000`, the second is the first address behind it.
 *
 * @throws {InvalidArgumentError} if the text is not a range
 *
 * @example Usage
 * ```ts
 * import { parseRangeText } from "@pagewalk/pagewalk/cli";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseRangeText("0x1000-0x1fff"), { start: 0x1000n, lengthBytes: 4096 });
 * assertEquals(parseRangeText("0x1000+4K"), { start: 0x1000n, lengthBytes: 4096 });
 * assertEquals(parseRangeText("00001000-00002000"), { start: 0x1000n, lengthBytes: 4096 });
 * ```
 */
export function parseRangeText(text: string): { start: bigint; lengthBytes: number } {
  const [, first, sign, second] = /^([^+-]+)([+-])([^+-]+)$/.exec(text.trim()) ?? [];
  if (first === undefined || second === undefined) {
    throw new InvalidArgumentError(
      `Not a range: "${text}"; write 0xFIRST-0xLAST, or 0xFIRST+LENGTH such as 0x1000+64K`,
      text,
    );
  }
  const start = addressArgument(first);
  if (sign === "+") return { start, lengthBytes: parseSize(second) };
  const isAsInMaps = [first, second].every((each) => isBareHex(addressNotation(each)));
  const last = isAsInMaps ? parseAddress(second) - 1n : addressArgument(second);
  if (last < start) {
    throw new InvalidArgumentError(`Not a range: "${text}" ends before it starts`, text);
  }
  return { start, lengthBytes: Number(last - start + 1n) };
}

function isBareHex(notation: AddressNotation | null): boolean {
  return notation === "leadingZeros" || notation === "hexDigits";
}
