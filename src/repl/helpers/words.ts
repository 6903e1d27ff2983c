import { InvalidArgumentError } from "../../core/errors.ts";

/** The word sizes, by the letters that `xp` has for them. */
const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };

/** Splits bytes into little-endian words. */
export function toWords(bytes: Uint8Array, wordBytes: number): bigint[] {
  return Array.from(
    { length: Math.floor(bytes.length / wordBytes) },
    (_, i) => word(bytes, i * wordBytes, wordBytes),
  );
}

function word(bytes: Uint8Array, offset: number, length: number): bigint {
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[offset + i]!);
  return value;
}

/** A word's size in bytes, given as a number or by gdb's letter. */
export function wordSize(size: number | bigint | string): number {
  const bytes = SIZES[String(size)] ?? Number(size);
  if ([1, 2, 4, 8].includes(bytes)) return bytes;
  throw new InvalidArgumentError(`A word has 1, 2, 4 or 8 bytes (b, h, w, g), not ${size}`, size);
}

/** A count of words, as a number. */
export function wholeNumber(count: unknown): number {
  const value = typeof count === "bigint" ? Number(count) : count;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`Not a count of words: ${String(count)}`, count);
}
