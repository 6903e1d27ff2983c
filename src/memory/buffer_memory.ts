import { MemoryReadError, type PhysicalMemory } from "./physical_memory.ts";

/** Bytes that lie at a guest-physical address. */
export interface MemorySegment {
  /** The guest-physical address of the first byte. */
  readonly start: bigint;
  /** The bytes. */
  readonly bytes: Uint8Array;
}

/**
 * Makes guest-physical memory of bytes at hand, as for a test or a page that was saved. A read must
 * lie within one segment; where segments overlap, the first that holds all of it gives it.
 *
 * @example Usage
 * ```ts
 * import { bufferMemory } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = bufferMemory([{ start: 0x1000n, bytes: new Uint8Array([1, 2, 3, 4]) }]);
 * assertEquals(await memory.read(0x1001n, 2), new Uint8Array([2, 3]));
 * ```
 */
export function bufferMemory(segments: readonly MemorySegment[]): PhysicalMemory {
  function read(address: bigint, lengthBytes: number): Promise<Uint8Array> {
    for (const { start, bytes } of segments) {
      const offset = Number(address - start);
      if (offset >= 0 && offset + lengthBytes <= bytes.length) {
        return Promise.resolve(bytes.subarray(offset, offset + lengthBytes));
      }
    }
    return Promise.reject(new MemoryReadError("outsideRam", address, lengthBytes));
  }
  return { read };
}
