import { ElfFormatError } from "./errors.ts";

const decoder = new TextDecoder();
/** A number of more bits is no offset, size or value of anything that is read. */
const MAX_LEB_BYTES = 10;

/** Reads little-endian numbers and texts of a file one after the other; never beyond its end. */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where the next one begins. */
  at: number;

  /** Begins at an offset. */
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  /** How many bytes there are in all. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Passes over bytes and answers where they begin. */
  skip(count: number): number {
    const from = this.at;
    if (!(count >= 0) || from < 0 || from + count > this.#bytes.length) {
      throw new ElfFormatError(
        "is damaged: it is cut short, or an offset in it leads beyond its end",
      );
    }
    this.at += count;
    return from;
  }

  /** A number of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): bigint {
    const at = this.skip(size);
    switch (size) {
      case 1:
        return BigInt(this.#view.getUint8(at));
      case 2:
        return BigInt(this.#view.getUint16(at, true));
      case 4:
        return BigInt(this.#view.getUint32(at, true));
      case 8:
        return this.#view.getBigUint64(at, true);
    }
    throw new ElfFormatError(`is damaged: there are no numbers of ${size} bytes`);
  }

  /** The same as a `number`: offsets, sizes, codes. What does not fit leads nowhere. */
  number(size: number): number {
    return Number(this.unsigned(size));
  }

  /** A LEB128 number without a sign. */
  uleb(): bigint {
    return this.#leb(false);
  }

  /** A LEB128 number with a sign. */
  sleb(): bigint {
    return this.#leb(true);
  }

  #leb(signed: boolean): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_LEB_BYTES; i++) {
      const byte = this.#view.getUint8(this.skip(1));
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte & 0x80) continue;
      return signed && byte & 0x40 ? value - (1n << BigInt(7 * (i + 1))) : value;
    }
    throw new ElfFormatError("is damaged: a number in it does not end");
  }

  /** A text that ends in NUL. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.at);
    if (end < 0) throw new ElfFormatError("is damaged: a text in it does not end");
    const from = this.skip(end - this.at + 1);
    return decoder.decode(this.#bytes.subarray(from, end));
  }
}
