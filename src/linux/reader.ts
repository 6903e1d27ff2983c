import type { ReadOptions } from "../memory/physical_memory.ts";

/**
 * Reads by kernel virtual address: all that the decoders of kernel structures know of a guest. An
 * `AddressSpace` is one; so is a buffer in a test.
 */
export interface Reader {
  /** Reads exactly so many bytes, or rejects. The bytes are not to be written to. */
  read(address: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array>;
}

/** A view for numbers of all sizes. x86 is little-endian. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads one 64-bit number. */
export async function readU64(
  reader: Reader,
  address: bigint,
  options?: ReadOptions,
): Promise<bigint> {
  return viewOf(await reader.read(address, 8, options)).getBigUint64(0, true);
}

/** Reads one 32-bit number. */
export async function readU32(
  reader: Reader,
  address: bigint,
  options?: ReadOptions,
): Promise<number> {
  return viewOf(await reader.read(address, 4, options)).getUint32(0, true);
}

const decoder = new TextDecoder();

/** The text up to the first NUL, or all of it if there is none. */
export function cString(bytes: Uint8Array, start = 0): string {
  const end = bytes.indexOf(0, start);
  return decoder.decode(bytes.subarray(start, end < 0 ? undefined : end));
}

/** The bytes of an address's page that follow it, it included. */
export function leftInPage(address: bigint): number {
  return 4096 - Number(address & 0xfffn);
}

/**
 * Reads a NUL-terminated text of at most so many bytes; null if it is longer. It asks for no byte
 * beyond the page before it knows that the text goes on there.
 */
export async function readCString(
  reader: Reader,
  address: bigint,
  maxBytes: number,
  options?: ReadOptions,
): Promise<string | null> {
  let text = new Uint8Array(0);
  while (text.length < maxBytes) {
    const at = address + BigInt(text.length);
    const step = Math.min(64, maxBytes - text.length, leftInPage(at));
    const piece = await reader.read(at, step, options);
    const end = piece.indexOf(0);
    const joined = new Uint8Array(text.length + (end < 0 ? step : end));
    joined.set(text);
    joined.set(end < 0 ? piece : piece.subarray(0, end), text.length);
    if (end >= 0) return decoder.decode(joined);
    text = joined;
  }
  return null;
}
