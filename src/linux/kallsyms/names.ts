import { KernelFormatError } from "../errors.ts";
import { MAX_NAME_BYTES } from "./tables.ts";

/** A symbol's name and what kind of symbol it is. */
export interface SymbolName {
  /** The name. */
  readonly name: string;
  /** The type character of `nm`: `T` for exported code, `d` for local data, … */
  readonly type: string;
}

const ascii = new TextDecoder("latin1");

/** The texts that the bytes of compressed names stand for: 256 of them. */
export type Tokens = readonly string[];

/** The most that 256 tokens take: each is a part of a name. */
export const TOKEN_TABLE_BYTES = 4096;

/**
 * Reads the token table: 256 NUL-terminated texts. Returns null if there are none at that place.
 * `lengthBytes` counts the terminators.
 */
export function decodeTokens(
  bytes: Uint8Array,
  start = 0,
): { tokens: Tokens; starts: readonly number[]; lengthBytes: number } | null {
  const tokens: string[] = [];
  const starts: number[] = [];
  let at = start;
  for (let i = 0; i < 256; i++) {
    const end = bytes.indexOf(0, at);
    if (end < 0 || end - at > MAX_NAME_BYTES || at - start > 0xffff) return null;
    starts.push(at - start);
    tokens.push(ascii.decode(bytes.subarray(at, end)));
    at = end + 1;
  }
  return { tokens, starts, lengthBytes: at - start };
}

/**
 * Where a symbol's compressed name begins and ends; null if the bytes end before it does. Since 6.1 a
 * length of 128 or more takes two bytes (kernel/kallsyms.c, kallsyms_expand_symbol).
 */
export function nameExtent(bytes: Uint8Array, at: number): { start: number; end: number } | null {
  const first = bytes[at];
  if (first === undefined) return null;
  if (first < 0x80) {
    return at + 1 + first <= bytes.length ? { start: at + 1, end: at + 1 + first } : null;
  }
  const second = bytes[at + 1];
  if (second === undefined) return null;
  const length = (first & 0x7f) | (second << 7);
  return at + 2 + length <= bytes.length ? { start: at + 2, end: at + 2 + length } : null;
}

/**
 * Expands so many names from the start of the bytes.
 *
 * @throws {KernelFormatError} if a name is cut off, empty or too long
 */
export function decodeNames(bytes: Uint8Array, count: number, tokens: Tokens): SymbolName[] {
  const names: SymbolName[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const extent = nameExtent(bytes, at);
    if (!extent) throw new KernelFormatError("kallsyms", `name ${i} of ${count} is cut off`);
    let text = "";
    for (let j = extent.start; j < extent.end && text.length <= MAX_NAME_BYTES; j++) {
      text += tokens[bytes[j]!]!;
    }
    if (text.length < 2 || text.length > MAX_NAME_BYTES) {
      throw new KernelFormatError("kallsyms", `name ${i} has ${text.length} characters`);
    }
    names.push({ type: text[0]!, name: text.slice(1) });
    at = extent.end;
  }
  return names;
}
