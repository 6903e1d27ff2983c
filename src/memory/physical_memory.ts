import { formatAddress } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";

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
