import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";

/** Bytes that were read, and from where. */
interface Piece {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/**
 * Memory that remembers what was read of it, so that it can be seen whether all of it stood there at one
 * moment: between the last read and the first one that was made again.
 */
export class SteadyMemory implements PhysicalMemory {
  readonly #memory: PhysicalMemory;
  readonly #pieces = new Map<string, Promise<Piece>>();

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  /** Reads; what was read before is not read again. */
  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const key = `${address}:${lengthBytes}`;
    let piece = this.#pieces.get(key);
    if (piece === undefined) {
      piece = this.#memory.read(address, lengthBytes, options).then((bytes) => ({
        address,
        bytes,
      }));
      this.#pieces.set(key, piece);
      piece.catch(() => this.#pieces.delete(key));
    }
    return (await piece).bytes;
  }

  /** Whether all that was read still stands there. */
  async stillTheSame(options: ReadOptions = {}): Promise<boolean> {
    for (const { address, bytes } of await Promise.all(this.#pieces.values())) {
      const now = await this.#memory.read(address, bytes.length, options);
      if (now.some((byte, i) => byte !== bytes[i])) return false;
    }
    return true;
  }
}
