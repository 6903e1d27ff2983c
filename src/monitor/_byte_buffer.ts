const FIRST_BYTES = 1024;

/** Bytes that grow at the end, in one piece; appending costs linear time over all. */
export class ByteBuffer {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  #lengthBytes = 0;

  /** How many bytes there are. */
  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /** Adds bytes at the end. */
  append(bytes: Uint8Array): void {
    const needed = this.#lengthBytes + bytes.length;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.view());
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#lengthBytes);
    this.#lengthBytes = needed;
  }

  /** Drops all but the last bytes, and the memory of the others. */
  keepLast(lengthBytes: number): void {
    if (this.#lengthBytes <= lengthBytes) return;
    const last = this.view().slice(this.#lengthBytes - lengthBytes);
    if (this.#bytes.length > 64 * FIRST_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES);
    this.#lengthBytes = 0;
    this.append(last);
  }

  /** Drops all but the first bytes, and returns the others. */
  takeBehind(lengthBytes: number): Uint8Array {
    const behind = this.view().slice(lengthBytes);
    this.#lengthBytes -= behind.length;
    return behind;
  }

  /** Says whether the last bytes are these. */
  endsWith(bytes: Uint8Array): boolean {
    const start = this.#lengthBytes - bytes.length;
    if (start < 0) return false;
    for (let i = bytes.length - 1; i >= 0; i--) {
      if (this.#bytes[start + i] !== bytes[i]) return false;
    }
    return true;
  }

  /** All the bytes; valid until the next change. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#lengthBytes);
  }
}
