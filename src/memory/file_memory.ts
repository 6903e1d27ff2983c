import { firstUnbacked, type MemoryRange } from "./memory_map.ts";
import { MemoryReadError, type PhysicalMemory, type ReadOptions } from "./physical_memory.ts";

/**
 * A guest's physical memory in a file: a dump, or the file behind its RAM. Each range's `offset` says
 * where it starts in the file. The file stays the caller's to close.
 *
 * @example Usage
 * ```ts
 * import { FileMemory } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * using file = await Deno.open(await Deno.makeTempFile(), { read: true, write: true });
 * await file.write(new Uint8Array([1, 2, 3, 4]));
 * const range = { start: 0x1000n, end: 0x1004n, kind: "ram" as const, name: "ram", offset: 0n };
 * const memory = new FileMemory(file, [range]);
 * assertEquals(await memory.read(0x1002n, 2), new Uint8Array([3, 4]));
 * ```
 */
export class FileMemory implements PhysicalMemory {
  /** Which guest-physical addresses the file holds, in address order; they do not overlap. */
  readonly ranges: readonly MemoryRange[];
  readonly #file: Deno.FsFile;

  /** Reads an open file. */
  constructor(file: Deno.FsFile, ranges: readonly MemoryRange[]) {
    this.#file = file;
    this.ranges = ranges;
  }

  /**
   * Reads exactly so many bytes.
   *
   * @throws {MemoryReadError} if a byte lies outside the ranges, or the file ends before it
   */
  // deno-lint-ignore require-await -- so that it rejects instead of throwing
  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const hole = firstUnbacked(this.ranges, address, lengthBytes);
    if (hole !== null) throw new MemoryReadError("outsideRam", hole, lengthBytes);
    const bytes = new Uint8Array(lengthBytes);
    for (let filled = 0; filled < lengthBytes;) {
      const at = address + BigInt(filled);
      const { start, end, offset } = this.ranges.find((range) => range.end > at)!;
      const count = Math.min(lengthBytes - filled, Number(end - at));
      if (!readFully(this.#file, bytes.subarray(filled, filled + count), offset + at - start)) {
        throw new MemoryReadError("unreadable", at, lengthBytes);
      }
      filled += count;
    }
    return bytes;
  }
}

/**
 * Fills a buffer from a place in a file; false if the file ends first. Seek and read are synchronous,
 * so that no other read can come in between, and a table costs microseconds.
 */
export function readFully(file: Deno.FsFile, bytes: Uint8Array, offset: bigint): boolean {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let filled = 0; filled < bytes.length;) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) return false;
    filled += count;
  }
  return true;
}
