import { type AddressLike, formatAddress, MAX_ADDRESS, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { ReplyParseError } from "../errors.ts";

/** How much one `xp` fetches. QEMU spends a few milliseconds on it, and the reply is 4 times as long. */
const CHUNK_BYTES = 32 * 1024;

/**
 * Reads guest-physical memory with `xp`, in the densest form (8-byte values). It asks for whatever it
 * is told to: on a device's memory `xp` reads the device. `MonitorMemory` keeps to RAM and ROM.
 *
 * The result is shorter than asked for where QEMU says `Cannot access memory`; QEMU gives up a whole
 * 16-byte row for one byte of it.
 *
 * @throws {InvalidArgumentError} if the range does not lie in 64 bits
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, examineMemory } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { bytes, unreadableFrom } = await examineMemory(guest.monitor, 0x1000, 16);
 * assertEquals([bytes.length, unreadableFrom], [16, null]);
 * ```
 */
export async function examineMemory(
  monitor: Monitor,
  at: AddressLike,
  lengthBytes: number,
  options: CommandOptions = {},
): Promise<MemoryDump> {
  const address = parseAddress(at);
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0) {
    throw new InvalidArgumentError(`Not a length: ${lengthBytes}`, lengthBytes);
  }
  if (address + BigInt(lengthBytes) > MAX_ADDRESS + 1n) {
    throw new InvalidArgumentError(
      `${lengthBytes} bytes at ${formatAddress(address)} go beyond the 64-bit address space`,
      at,
    );
  }
  const requests = split(address, lengthBytes);
  if (requests.length === 1) return await examine(monitor, requests[0]!, options);
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  for (const request of requests) {
    const dump = await examine(monitor, request, options);
    bytes.set(dump.bytes, filled);
    filled += dump.bytes.length;
    if (dump.unreadableFrom !== null) {
      return { bytes: bytes.subarray(0, filled), unreadableFrom: dump.unreadableFrom };
    }
  }
  return { bytes, unreadableFrom: null };
}

async function examine(
  monitor: Monitor,
  request: MemoryDumpRequest,
  options: CommandOptions,
): Promise<MemoryDump> {
  const { address, count, sizeBytes } = request;
  const unit = sizeBytes === 8 ? "g" : "b";
  // Counts are decimal, the address is an expression.
  const line = `xp /${count}${unit}x ${formatAddress(address)}`;
  return parseMemoryDump(await monitor.command(line, options), request);
}

/** 8-byte values as far as they go, and single bytes for the rest; nothing beyond the range. */
function split(address: bigint, lengthBytes: number): MemoryDumpRequest[] {
  const requests: MemoryDumpRequest[] = [];
  for (let done = 0; done < lengthBytes;) {
    const left = Math.min(lengthBytes - done, CHUNK_BYTES);
    const sizeBytes = left >= 8 ? 8 : 1;
    const count = Math.floor(left / sizeBytes);
    requests.push({ address: address + BigInt(done), count, sizeBytes });
    done += count * sizeBytes;
  }
  return requests;
}

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

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const DIGIT_0 = 0x30;
const COLON = 0x3a;
const LETTER_X = 0x78;
const UNREADABLE = " Cannot access memory";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The value of each lower-case hexadecimal digit by its code, 16 for what is none. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = "0123456789abcdef".indexOf(String.fromCharCode(code));
  return value < 0 ? 16 : value;
});

/**
 * Reads what `xp` printed: rows of `0000000000001000: 0x… 0x…`, values little-endian in memory. Before
 * 11.1 an address has 16 digits, since then at least 8. Every row's address is checked. A row that QEMU
 * cannot read is the last, `0000000040000000: Cannot access memory`, and takes up to 16 bytes with it
 * even if some could have been read (`memory_dump`, 5.2 to 11.1).
 *
 * It goes through codes in an array, as page tables are read this way: 512 entries take 40 µs, a seventh
 * of what `charCodeAt` on the text takes.
 *
 * @throws {ReplyParseError} if the text is not a dump of just that memory
 */
export function parseMemoryDump(reply: string, request: MemoryDumpRequest): MemoryDump {
  const { address, count, sizeBytes } = request;
  const codes = encoder.encode(reply);
  const bytes = new Uint8Array(count * sizeBytes);
  let filled = 0;
  for (let at = 0; at < codes.length; at++) {
    const rowStart = at;
    const rowFilled = filled;
    const colon = codes.indexOf(COLON, at);
    if (!isAddress(codes, at, colon, address + BigInt(filled))) {
      throw syntaxError(codes, rowStart, request, rowFilled);
    }
    at = colon + 1;
    while (filled >= 0 && startsValue(codes, at)) {
      filled = readValue(codes, at + 3, bytes, filled, sizeBytes);
      at += 3 + 2 * sizeBytes;
    }
    if (filled === rowFilled && lineAt(codes, colon + 1) === UNREADABLE) {
      return { bytes: bytes.subarray(0, filled), unreadableFrom: address + BigInt(filled) };
    }
    if (filled <= rowFilled || (at < codes.length && codes[at] !== LINE_FEED)) {
      throw syntaxError(codes, rowStart, request, rowFilled);
    }
  }
  if (filled !== bytes.length) throw syntaxError(codes, codes.length, request, filled);
  return { bytes, unreadableFrom: null };
}

/** Says whether 8 digits or more stand between the two places, and are this address. */
function isAddress(codes: Uint8Array, start: number, end: number, expected: bigint): boolean {
  if (end - start < 8 || end - start > 16) return false;
  let low = Number(expected & 0xffff_ffffn);
  let high = Number(expected >> 32n);
  for (let at = end - 1; at >= start; at--) {
    if (DIGITS[codes[at]!] !== (low & 15)) return false;
    low = ((high & 15) << 28) | (low >>> 4);
    high >>>= 4;
  }
  return low === 0 && high === 0;
}

/** Says whether ` 0x` stands here. */
function startsValue(codes: Uint8Array, at: number): boolean {
  return codes[at] === SPACE && codes[at + 1] === DIGIT_0 && codes[at + 2] === LETTER_X;
}

/** Writes the value whose digits start here, and returns where the next goes, or -1 if it is none. */
function readValue(
  codes: Uint8Array,
  start: number,
  bytes: Uint8Array,
  filled: number,
  sizeBytes: number,
): number {
  const end = filled + sizeBytes;
  if (end > bytes.length) return -1;
  for (let i = end - 1, at = start; i >= filled; i--, at += 2) {
    const high = DIGITS[codes[at]!]!;
    const low = DIGITS[codes[at + 1]!]!;
    // Past the end there is no code, and so no digit: the comparison is false then too.
    if (!(high < 16 && low < 16)) return -1;
    bytes[i] = (high << 4) | low;
  }
  return end;
}

function syntaxError(
  codes: Uint8Array,
  rowStart: number,
  request: MemoryDumpRequest,
  filled: number,
): ReplyParseError {
  const address = (request.address + BigInt(filled)).toString(16);
  return new ReplyParseError(
    "xp",
    lineAt(codes, rowStart),
    `${request.sizeBytes}-byte values at ${address}`,
  );
}

function lineAt(codes: Uint8Array, start: number): string {
  const end = codes.indexOf(LINE_FEED, start);
  return decoder.decode(codes.subarray(start, end < 0 ? codes.length : end));
}
