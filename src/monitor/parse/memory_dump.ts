import { ReplyParseError } from "../errors.ts";

/** What one `xp` gave. */
export interface MemoryDump {
  /** The bytes from the first address on, as many as could be read. */
  bytes: Uint8Array;
  /** The row that QEMU could not read, by its address; null if all is there. */
  unreadableFrom: bigint | null;
}

/** What was asked for: `xp /COUNTgx ADDRESS` or `xp /COUNTbx ADDRESS`. */
export interface MemoryDumpRequest {
  /** The first guest-physical address. */
  address: bigint;
  /** How many values. */
  count: number;
  /** The bytes of one value: `b`, `h`, `w`, `g`. */
  sizeBytes: 1 | 2 | 4 | 8;
}

const LINE_FEED = 10;
const SPACE = 32;
const COLON = 58;
const LETTER_X = 120;

/**
 * Reads what `xp` printed: rows of `0000000000001000: 0x… 0x…`, values little-endian in memory. Before
 * 11.1 an address has 16 digits, since then at least 8. Every row's address is checked. A row that QEMU
 * cannot read is the last, `0000000040000000: Cannot access memory`, and takes up to 16 bytes with it
 * even if some could have been read (`memory_dump`, 5.2 to 11.1).
 *
 * It reads character codes instead of splitting the text, as page tables are read through it.
 *
 * @throws {ReplyParseError} if the text is no dump of just that memory
 */
export function parseMemoryDump(reply: string, request: MemoryDumpRequest): MemoryDump {
  const { address, count, sizeBytes } = request;
  const bytes = new Uint8Array(count * sizeBytes);
  const digits = 2 * sizeBytes;
  const first = { high: Number(address >> 32n), low: Number(address & 0xffff_ffffn) };
  let at = 0;
  let filled = 0;
  while (at < reply.length) {
    const rowStart = at;
    at = skipAddress(reply, at, first, filled);
    if (at < 0) throw syntaxError(reply, rowStart, request, filled);
    if (reply.startsWith(UNREADABLE, at)) {
      return { bytes: bytes.subarray(0, filled), unreadableFrom: address + BigInt(filled) };
    }
    while (reply.charCodeAt(at) === SPACE) {
      at = readValue(reply, at, digits, bytes, filled);
      if (at < 0) throw syntaxError(reply, rowStart, request, filled);
      filled += sizeBytes;
    }
    if (at < reply.length && reply.charCodeAt(at) !== LINE_FEED) {
      throw syntaxError(reply, rowStart, request, filled);
    }
    at++;
  }
  if (filled !== bytes.length) throw syntaxError(reply, reply.length, request, filled);
  return { bytes, unreadableFrom: null };
}

const UNREADABLE = " Cannot access memory";

/** Returns where the row's colon ends, or -1 if no address stands there or not the right one. */
function skipAddress(
  text: string,
  start: number,
  first: { high: number; low: number },
  offset: number,
): number {
  let high = 0;
  let low = 0;
  let at = start;
  for (;; at++) {
    const digit = hexDigit(text.charCodeAt(at));
    if (digit < 0) break;
    high = (high * 16 + (low >>> 28)) % 0x1_0000_0000;
    low = ((low << 4) | digit) >>> 0;
  }
  const expectedLow = first.low + offset;
  const matches = low === expectedLow % 0x1_0000_0000 &&
    high === (first.high + Math.floor(expectedLow / 0x1_0000_0000)) % 0x1_0000_0000;
  return at - start >= 8 && matches && text.charCodeAt(at) === COLON ? at + 1 : -1;
}

/** Writes one ` 0x…` of exactly so many digits, and returns where it ends, or -1 if it is none. */
function readValue(
  text: string,
  start: number,
  digits: number,
  bytes: Uint8Array,
  filled: number,
): number {
  let at = start + 3;
  if (text.charCodeAt(start + 2) !== LETTER_X || filled + (digits >> 1) > bytes.length) return -1;
  for (let i = filled + (digits >> 1) - 1; i >= filled; i--) {
    const high = hexDigit(text.charCodeAt(at++));
    const low = hexDigit(text.charCodeAt(at++));
    if ((high | low) < 0) return -1;
    bytes[i] = (high << 4) | low;
  }
  return at;
}

/** Returns the digit's value, or -1; QEMU prints lower case. Past the text's end the code is NaN. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}

function syntaxError(
  reply: string,
  rowStart: number,
  request: MemoryDumpRequest,
  filled: number,
): ReplyParseError {
  const row = reply.slice(rowStart).split("\n", 1)[0]!;
  const address = (request.address + BigInt(filled)).toString(16);
  return new ReplyParseError(
    "xp",
    row,
    `a row with ${request.sizeBytes}-byte values at ${address}`,
  );
}
