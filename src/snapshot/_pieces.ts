import { SnapshotError } from "./errors.ts";
import type { MemoryPiece } from "./piece_memory.ts";

// In a file a piece is its address (u64), its length in bytes (u32) and its bytes, little-endian.
const HEAD_BYTES = 12;
/** A table is a page at most (Intel SDM vol. 3, 4.2). */
const MAX_PIECE_BYTES = 4096;
/** As many tables as a listing visits by default, and as many as KPTI's other root may add. */
const MAX_PIECES = 131_072 + 4096;

/**
 * Writes pieces one after the other.
 *
 * @throws {SnapshotError} if there are more than a snapshot may have
 */
export function packPieces(pieces: readonly MemoryPiece[]): Uint8Array<ArrayBuffer> {
  if (pieces.length > MAX_PIECES) {
    throw new SnapshotError(
      `A snapshot holds ${MAX_PIECES} tables at most, not ${pieces.length}: take it of a range`,
    );
  }
  const packed = new Uint8Array(
    pieces.reduce((sum, { bytes }) => sum + HEAD_BYTES + bytes.length, 0),
  );
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { address, bytes } of pieces) {
    view.setBigUint64(at, address, true);
    view.setUint32(at + 8, bytes.length, true);
    packed.set(bytes, at + HEAD_BYTES);
    at += HEAD_BYTES + bytes.length;
  }
  return packed;
}

/**
 * Reads pieces as their bytes come, so that no more is kept than tables may have: a few bytes unpack to
 * gigabytes if somebody wants them to.
 */
export class PieceReader {
  /** The pieces so far. */
  readonly pieces: MemoryPiece[] = [];
  readonly #head = new Uint8Array(HEAD_BYTES);
  /** How much of the head, and then of the bytes, there is. */
  #filled = 0;
  #piece: MemoryPiece | null = null;

  /**
   * Takes the next bytes.
   *
   * @throws {SnapshotError} if they are none that were written by {@linkcode packPieces}
   */
  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const target = this.#piece?.bytes ?? this.#head;
      const part = chunk.subarray(at, at + target.length - this.#filled);
      target.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < target.length) return;
      this.#filled = 0;
      if (this.#piece === null) {
        this.#piece = this.#begin();
      } else {
        this.pieces.push(this.#piece);
        this.#piece = null;
      }
    }
  }

  /**
   * Says that there are no more bytes.
   *
   * @throws {SnapshotError} if a piece is not whole
   */
  end(): void {
    if (this.#piece !== null || this.#filled > 0) throw damaged("a piece of memory is cut short");
  }

  #begin(): MemoryPiece {
    const view = new DataView(this.#head.buffer);
    const address = view.getBigUint64(0, true);
    const length = view.getUint32(8, true);
    if (length === 0) throw damaged("a piece of memory is empty");
    if (length > MAX_PIECE_BYTES) throw damaged("a piece of memory is longer than a table");
    if (this.pieces.length >= MAX_PIECES) throw damaged("it has too many tables");
    const last = this.pieces.at(-1);
    if (last !== undefined && address <= last.address) {
      throw damaged("its pieces of memory are not in order");
    }
    return { address, bytes: new Uint8Array(length) };
  }
}

/** The error for a file that is a snapshot's, but not as it was written. */
export function damaged(how: string, cause?: unknown): SnapshotError {
  return new SnapshotError(`The snapshot is damaged: ${how}; take it again`, { cause });
}
