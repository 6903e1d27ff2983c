/** A run of guest-physical addresses that one piece of RAM or ROM backs. */
export interface MemoryRange {
  /** The first guest-physical address. */
  start: bigint;
  /** The address after the last one. */
  end: bigint;
  /** RAM, or memory that the guest cannot write. */
  kind: "ram" | "rom";
  /** QEMU's name of the memory region, such as `pc.ram`. */
  name: string;
  /** Where the run starts inside the region, in bytes: the file offset of a RAM file. */
  offset: bigint;
}

/**
 * Says whether every byte of a range is backed by RAM or ROM. Ranges are in address order and do not
 * overlap, as `info mtree -f` prints them; a read may cross from one into the next.
 *
 * @example Usage
 * ```ts
 * import { isBacked } from "@pagewalk/pagewalk";
 * import { assert } from "@std/assert";
 *
 * const ram = [{ start: 0n, end: 0x1000n, kind: "ram" as const, name: "pc.ram", offset: 0n }];
 * assert(isBacked(ram, 0xff8n, 8));
 * assert(!isBacked(ram, 0xff9n, 8));
 * ```
 */
export function isBacked(
  ranges: readonly MemoryRange[],
  address: bigint,
  lengthBytes: number,
): boolean {
  return firstUnbacked(ranges, address, lengthBytes) === null;
}

/**
 * Returns the first address of a range that no RAM or ROM backs, or null if all of it is backed.
 *
 * @example Usage
 * ```ts
 * import { firstUnbacked } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const ram = [{ start: 0n, end: 0x1000n, kind: "ram" as const, name: "pc.ram", offset: 0n }];
 * assertEquals(firstUnbacked(ram, 0xff8n, 16), 0x1000n);
 * ```
 */
export function firstUnbacked(
  ranges: readonly MemoryRange[],
  address: bigint,
  lengthBytes: number,
): bigint | null {
  const end = address + BigInt(lengthBytes);
  let at = address;
  for (const range of ranges) {
    if (at >= end) break;
    if (range.end <= at) continue;
    if (range.start > at) return at;
    at = range.end;
  }
  return at >= end ? null : at;
}
