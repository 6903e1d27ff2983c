/** How many low bits of a linear address the paging structures translate. */
export type LinearAddressBits = 32 | 48 | 57;

/**
 * Says whether the bits above the translated ones all repeat the highest translated bit (Intel SDM
 * vol. 1, 3.3.7.1). A 32-bit address has no bits above, so there it must simply fit.
 *
 * @example Usage
 * ```ts
 * import { isCanonical } from "@pagewalk/pagewalk";
 * import { assert } from "@std/assert";
 *
 * assert(isCanonical(0xffff_8000_0000_0000n, 48));
 * assert(!isCanonical(0x0000_8000_0000_0000n, 48));
 * ```
 */
export function isCanonical(address: bigint, bits: LinearAddressBits): boolean {
  if (bits === 32) return address <= 0xffff_ffffn;
  const upper = address >> BigInt(bits - 1);
  return upper === 0n || upper === (1n << BigInt(65 - bits)) - 1n;
}

/**
 * Extends the highest translated bit into the bits above it, as the processor does when it forms an
 * address from table indexes. A 32-bit address is cut to 32 bits.
 *
 * @example Usage
 * ```ts
 * import { canonicalize } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(canonicalize(0x8000_0000_0000n, 48), 0xffff_8000_0000_0000n);
 * ```
 */
export function canonicalize(address: bigint, bits: LinearAddressBits): bigint {
  return bits === 32
    ? BigInt.asUintN(32, address)
    : BigInt.asUintN(64, BigInt.asIntN(bits, address));
}
