import { formatAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import {
  firstUnbacked,
  type MemoryRange,
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";

const PAGE_BYTES = 4096;
const PAGE_OFFSET = 0xfffn;

/** A run of bytes that were written, for loading them elsewhere. */
export interface WrittenRun {
  /** The guest-physical address of the first byte; page aligned. */
  address: bigint;
  /** Whole pages. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** How {@linkcode SparseMemory} is laid out. */
export interface SparseMemoryOptions {
  /** What is backed, in address order. Everything else cannot be read or written. */
  ranges: MemoryRange[];
}

/**
 * Writable guest-physical memory that holds only the pages written to, so that a guest of many
 * gigabytes costs what its tables cost. Unwritten RAM reads as zeros, as RAM does after power-on.
 *
 * @example Usage
 * ```ts
 * import { ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * memory.writeU64(0x1000n, 0x1234_5067n);
 * assertEquals(memory.readU64(0x1000n), 0x1234_5067n);
 * await assertRejects(() => memory.read(0x4000_0000n, 8));
 * ```
 */
export class SparseMemory implements PhysicalMemory {
  /** What is backed, in address order. */
  readonly ranges: readonly MemoryRange[];
  readonly #pages = new Map<bigint, Uint8Array<ArrayBuffer>>();

  /** Creates memory in which every byte is zero. */
  constructor(options: SparseMemoryOptions) {
    this.ranges = options.ranges;
  }

  /** Reads as {@linkcode PhysicalMemory} asks; never crosses out of the ranges. */
  // deno-lint-ignore require-await -- rejects instead of throwing, as a source over a socket does
  async read(address: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array> {
    options?.signal?.throwIfAborted();
    return this.readBytes(address, lengthBytes);
  }

  /**
   * Reads a copy of some bytes.
   *
   * @throws {MemoryReadError} if a byte of the range is not backed
   */
  readBytes(address: bigint, lengthBytes: number): Uint8Array<ArrayBuffer> {
    this.#requireBacked(address, lengthBytes);
    const bytes = new Uint8Array(lengthBytes);
    for (const piece of pieces(address, lengthBytes)) {
      const page = this.#pages.get(piece.page);
      if (page) bytes.set(page.subarray(piece.inPage, piece.inPage + piece.length), piece.inRun);
    }
    return bytes;
  }

  /** Reads a little-endian 64-bit word. */
  readU64(address: bigint): bigint {
    const page = this.#pages.get(address & ~PAGE_OFFSET);
    const inPage = Number(address & PAGE_OFFSET);
    // Listing tables reads every entry of each: no copy when the word lies in one written page.
    if (page && inPage <= PAGE_BYTES - 8) {
      return new DataView(page.buffer).getBigUint64(inPage, true);
    }
    return new DataView(this.readBytes(address, 8).buffer).getBigUint64(0, true);
  }

  /** Reads a little-endian 32-bit word. */
  readU32(address: bigint): bigint {
    return BigInt(new DataView(this.readBytes(address, 4).buffer).getUint32(0, true));
  }

  /**
   * Writes some bytes.
   *
   * @throws {InvalidArgumentError} if a byte of the range is not backed
   */
  writeBytes(address: bigint, bytes: Uint8Array): void {
    const bad = firstUnbacked(this.ranges, address, bytes.length);
    if (bad !== null) {
      throw new InvalidArgumentError(
        `Cannot write ${bytes.length} bytes at ${formatAddress(address)}: no range of the memory ` +
          `backs ${formatAddress(bad)}`,
        address,
      );
    }
    for (const piece of pieces(address, bytes.length)) {
      let page = this.#pages.get(piece.page);
      if (!page) this.#pages.set(piece.page, page = new Uint8Array(PAGE_BYTES));
      page.set(bytes.subarray(piece.inRun, piece.inRun + piece.length), piece.inPage);
    }
  }

  /** Writes a little-endian 64-bit word. */
  writeU64(address: bigint, value: bigint): void {
    const page = this.#pages.get(address & ~PAGE_OFFSET);
    const inPage = Number(address & PAGE_OFFSET);
    if (page && inPage <= PAGE_BYTES - 8) {
      return new DataView(page.buffer).setBigUint64(inPage, value, true);
    }
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.writeBytes(address, bytes);
  }

  /** Writes a little-endian 32-bit word. */
  writeU32(address: bigint, value: bigint): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, Number(value), true);
    this.writeBytes(address, bytes);
  }

  /** Returns every page that was written, in address order, neighbours joined into one run. */
  writtenRuns(): WrittenRun[] {
    const runs: { address: bigint; pages: Uint8Array[] }[] = [];
    for (const address of [...this.#pages.keys()].sort((a, b) => (a < b ? -1 : 1))) {
      const page = this.#pages.get(address)!;
      const last = runs.at(-1);
      if (last && last.address + BigInt(last.pages.length * PAGE_BYTES) === address) {
        last.pages.push(page);
      } else {
        runs.push({ address, pages: [page] });
      }
    }
    return runs.map(({ address, pages }) => {
      const bytes = new Uint8Array(pages.length * PAGE_BYTES);
      pages.forEach((page, i) => bytes.set(page, i * PAGE_BYTES));
      return { address, bytes };
    });
  }

  #requireBacked(address: bigint, lengthBytes: number): void {
    const bad = firstUnbacked(this.ranges, address, lengthBytes);
    if (bad !== null) throw new MemoryReadError("outsideRam", bad, lengthBytes);
  }
}

/**
 * Describes a run of RAM for {@linkcode SparseMemory}. `offset` is where it starts in the region.
 *
 * @example Usage
 * ```ts
 * import { ramRange } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(ramRange(0n, 0x1000n).kind, "ram");
 * ```
 */
export function ramRange(start: bigint, end: bigint, offset = start): MemoryRange {
  return { start, end, kind: "ram", name: "pc.ram", offset };
}

function* pieces(address: bigint, lengthBytes: number) {
  for (let inRun = 0; inRun < lengthBytes;) {
    const at = address + BigInt(inRun);
    const inPage = Number(at & PAGE_OFFSET);
    const length = Math.min(PAGE_BYTES - inPage, lengthBytes - inRun);
    yield { page: at - BigInt(inPage), inPage, inRun, length };
    inRun += length;
  }
}
