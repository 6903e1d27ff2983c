import { formatAddress } from "../core/address.ts";
import { formatError } from "../core/errors.ts";
import { checkOptions, TEXT } from "../core/options.ts";
import {
  firstUnbacked,
  type MemoryRange,
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "./physical_memory.ts";

/** What a file is to those who read an error about it. */
export interface FileMemoryOptions {
  /**
   * What messages call it.
   *
   * @default {"the file"}
   */
  name?: string;
}

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
  readonly #name: string;

  /** Reads an open file. */
  constructor(
    file: Deno.FsFile,
    ranges: readonly MemoryRange[],
    options: FileMemoryOptions = {},
  ) {
    checkOptions(options, "the options of a file's memory", { name: TEXT });
    this.#file = file;
    this.ranges = ranges;
    this.#name = options.name ?? "the file";
  }

  /**
   * Reads exactly so many bytes.
   *
   * @throws {MemoryReadError} if a byte lies outside the ranges, the file ends before it, or was closed
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
      const piece = bytes.subarray(
        filled,
        filled + Math.min(lengthBytes - filled, Number(end - at)),
      );
      const failure = this.#fill(piece, offset + at - start);
      if (failure !== null) {
        const { why, cause } = failure;
        const where = `Guest-physical memory at ${formatAddress(at)} could not be read`;
        const message = `${where}, as ${this.#name} ${why}`;
        throw new MemoryReadError("unreadable", at, lengthBytes, { cause, message });
      }
      filled += piece.length;
    }
    return bytes;
  }

  /** Fills a buffer, or says why that failed. */
  #fill(bytes: Uint8Array, offset: bigint): { why: string; cause?: unknown } | null {
    try {
      if (readFully(this.#file, bytes, offset)) return null;
    } catch (cause) {
      const isClosed = cause instanceof Deno.errors.BadResource;
      const why = isClosed ? "was closed: connect again" : `cannot be read: ${formatError(cause)}`;
      return { why, cause };
    }
    return {
      why: "ends before it: it was cut after it was opened, so open it, or a new one, again",
    };
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
