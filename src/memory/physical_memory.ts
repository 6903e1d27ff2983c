import { formatAddress } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";

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

/** How one read may be called off. */
export interface ReadOptions {
  /** Ends the read with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Guest-physical memory, from wherever it is read: a monitor, a file, a simulated guest. This is the
 * only thing that the walker knows of a guest. Wrappers (cache, bounds, recording) implement it too.
 *
 * @example A guest of two pages
 * ```ts
 * import { bufferMemory } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = bufferMemory([{ start: 0x1000n, bytes: new Uint8Array(8192).fill(0xab) }]);
 * assertEquals((await memory.read(0x1ffen, 4)).length, 4);
 * ```
 */
export interface PhysicalMemory {
  /**
   * Reads exactly `lengthBytes` bytes at a guest-physical address: all of them, or it rejects. The
   * bytes may be shared with a cache, so they are not to be written to.
   *
   * @throws {MemoryReadError} if a byte of the range cannot be read
   */
  read(address: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array>;
}

/**
 * Why memory could not be read: no RAM or ROM there, RAM that the source did not give, or an address that
 * the second stage of a guest within a guest does not translate.
 */
export type MemoryReadFailure = "outsideRam" | "unreadable" | "secondStage";

/** Guest-physical memory that could not be read. Nothing is ever padded with zeros instead. */
export class MemoryReadError extends PagewalkError {
  /** The first guest-physical address that could not be read. */
  readonly address: bigint;
  /** The length of the whole read, in bytes. */
  readonly lengthBytes: number;
  /** Why it could not be read. */
  readonly failure: MemoryReadFailure;

  /** Creates the error for one read. */
  constructor(
    failure: MemoryReadFailure,
    address: bigint,
    lengthBytes: number,
    options?: ErrorOptions & { message?: string },
  ) {
    const what = failure === "outsideRam"
      ? "lies outside the guest's RAM and ROM, so it is not read"
      : "could not be read";
    super(
      options?.message ?? `Guest-physical memory at ${formatAddress(address)} ${what}`,
      options,
    );
    this.address = address;
    this.lengthBytes = lengthBytes;
    this.failure = failure;
  }
}
