import { MemoryReadError, type MemoryReadFailure } from "../memory/physical_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";

/** A run of guest-physical memory as it was read. */
export interface MemoryPiece {
  /** The guest-physical address of the first byte. */
  readonly address: bigint;
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A read that failed when the memory was recorded. */
export interface FailedRead {
  /** The guest-physical address that was read. */
  readonly address: bigint;
  /** The length of the read in bytes. */
  readonly lengthBytes: number;
  /** Why it failed. */
  readonly failure: MemoryReadFailure;
}

/**
 * Memory of which some pieces are known: what was recorded of a guest. What is not cannot be read.
 *
 * @example Usage
 * ```ts
 * import { PieceMemory } from "@pagewalk/pagewalk";
 * import { assertRejects } from "@std/assert";
 *
 * const memory = new PieceMemory([{ address: 0x1000n, bytes: new Uint8Array(4096) }], []);
 * await memory.read(0x1ff8n, 8);
 * await assertRejects(() => memory.read(0x1ff9n, 8));
 * ```
 */
export class PieceMemory implements PhysicalMemory {
  /** The pieces, in address order; none lies in another. */
  readonly pieces: readonly MemoryPiece[];
  /** What could not be read, in address order. */
  readonly failures: readonly FailedRead[];

  /** Takes the pieces; those that lie in others are dropped. */
  constructor(pieces: readonly MemoryPiece[], failures: readonly FailedRead[]) {
    const sorted = pieces.toSorted((a, b) =>
      a.address === b.address ? b.bytes.length - a.bytes.length : a.address < b.address ? -1 : 1
    );
    const kept: MemoryPiece[] = [];
    for (const piece of sorted) {
      const last = kept.at(-1);
      if (last === undefined || endOf(piece) > endOf(last)) kept.push(piece);
    }
    this.pieces = kept;
    this.failures = failures.toSorted((a, b) => a.address < b.address ? -1 : 1);
  }

  // deno-lint-ignore require-await -- rejects instead of throwing, as a source over a socket does
  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const end = address + BigInt(lengthBytes);
    const piece = this.#pieceAt(address);
    if (piece !== undefined && end <= endOf(piece)) {
      const offset = Number(address - piece.address);
      return piece.bytes.subarray(offset, offset + lengthBytes);
    }
    const failed = this.failures.find((read) =>
      read.address < end && address < read.address + BigInt(read.lengthBytes)
    );
    throw failed
      ? new MemoryReadError(failed.failure, address, lengthBytes)
      : new MemoryReadError("unreadable", address, lengthBytes, {
        message: `Guest-physical memory at 0x${address.toString(16)} is not in the snapshot`,
      });
  }

  /** The last piece that starts at or below an address. */
  #pieceAt(address: bigint): MemoryPiece | undefined {
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return this.pieces[low - 1];
  }
}

/**
 * Reads through to another memory and keeps what was read.
 *
 * @example Usage
 * ```ts
 * import { pagingContext, RecordingMemory, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const memory = new RecordingMemory(guest.memory);
 * await walk(memory, pagingContext(guest.registers(0)), 0x7f1234567000n);
 * assertEquals(memory.recorded().pieces.length, 4); // One entry of each level.
 * ```
 */
export class RecordingMemory implements PhysicalMemory {
  readonly #memory: PhysicalMemory;
  readonly #pieces = new Map<string, MemoryPiece>();
  readonly #failures = new Map<string, FailedRead>();

  /** Records what is read from a memory. */
  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  async read(address: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array> {
    const key = `${address}:${lengthBytes}`;
    try {
      const bytes = await this.#memory.read(address, lengthBytes, options);
      this.#pieces.set(key, { address, bytes: bytes.slice() });
      return bytes;
    } catch (error) {
      if (error instanceof MemoryReadError) {
        this.#failures.set(key, { address, lengthBytes, failure: error.failure });
      }
      throw error;
    }
  }

  /** What was read so far. */
  recorded(): PieceMemory {
    return new PieceMemory([...this.#pieces.values()], [...this.#failures.values()]);
  }
}

function endOf({ address, bytes }: MemoryPiece): bigint {
  return address + BigInt(bytes.length);
}
