import { addressNotation, formatAddress, parseAddress } from "../core/address.ts";

/**
 * Reads an address that a script's user typed. Digits that do not tell whether they are hexadecimal are
 * read as decimal, which is said on standard error.
 *
 * @throws {InvalidArgumentError} if the text is not an address
 *
 * @example Usage
 * ```ts
 * import { addressArgument } from "@pagewalk/pagewalk/cli";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(addressArgument("0x400000"), 0x400000n);
 * assertEquals(addressArgument("0000000000400000"), 0x400000n);
 * ```
 */
export function addressArgument(text: string): bigint {
  const address = parseAddress(text);
  // Below 10 both readings are the same.
  if (addressNotation(text) === "decimal" && address > 9n) {
    console.error(
      `note: ${text} was read as decimal, ${
        formatAddress(address)
      }: write 0x${text} for hexadecimal`,
    );
  }
  return address;
}
