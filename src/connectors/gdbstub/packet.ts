import { ByteBuffer } from "../../monitor/_byte_buffer.ts";
import { FramingError } from "../../monitor/hmp_codec.ts";

/*
 * The packets of gdb's remote protocol (GDB manual, appendix E.1): `$data#cc`, where cc is the sum of
 * the data's bytes modulo 256 in hex. In the data `}` escapes the next byte, which is XORed with 0x20,
 * and `*` repeats the byte before it as often as the next byte says, less 29.
 */
const START = 0x24; // $
const END = 0x23; // #
const ESCAPE = 0x7d; // }
const REPEAT = 0x2a; // *
const ACK = 0x2b; // +
const NAK = 0x2d; // -
const ESCAPE_XOR = 0x20;
const REPEAT_BIAS = 29;

/** Far more than any reply: the longest are memory, twice the largest read. */
const MAX_PACKET_BYTES = 1 << 20;

/** Returns the packet for some ASCII data. */
export function encodePacket(data: string): string {
  let escaped = "";
  let sum = 0;
  for (const character of data) {
    const code = character.charCodeAt(0);
    const special = code === START || code === END || code === ESCAPE || code === REPEAT;
    escaped += special ? `}${String.fromCharCode(code ^ ESCAPE_XOR)}` : character;
    sum += special ? ESCAPE + (code ^ ESCAPE_XOR) : code;
  }
  return `$${escaped}#${(sum & 0xff).toString(16).padStart(2, "0")}`;
}

/** Cuts a stream of bytes into packets, whatever way it arrives, and checks each. */
export class PacketFramer {
  readonly #data = new ByteBuffer();
  #state: "between" | "data" | "checksum" | "lastChecksumDigit" = "between";
  #checksum = "";

  /**
   * Takes the next bytes and returns the data of the packets that they complete.
   *
   * @throws {FramingError} if they are not packets, or a checksum is wrong
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#state === "data") {
        at = this.#takeData(bytes, at);
        continue;
      }
      const byte = bytes[at++]!;
      if (this.#state === "between") this.#begin(byte);
      else if (this.#state === "checksum") {
        this.#checksum = String.fromCharCode(byte);
        this.#state = "lastChecksumDigit";
      } else {
        this.#checksum += String.fromCharCode(byte);
        packets.push(this.#finish());
      }
    }
    return packets;
  }

  #begin(byte: number): void {
    if (byte === START) this.#state = "data";
    else if (byte === NAK) throw new FramingError("the gdbstub rejects a packet as damaged");
    else if (byte !== ACK) throw new FramingError(`no packet begins with byte 0x${hex2(byte)}`);
  }

  #takeData(bytes: Uint8Array, start: number): number {
    const found = bytes.indexOf(END, start);
    this.#data.append(bytes.subarray(start, found < 0 ? bytes.length : found));
    if (this.#data.lengthBytes > MAX_PACKET_BYTES) throw new FramingError("a packet without end");
    if (found < 0) return bytes.length;
    this.#state = "checksum";
    return found + 1;
  }

  #finish(): Uint8Array {
    const raw = this.#data.view();
    let sum = 0;
    for (const byte of raw) sum = (sum + byte) & 0xff;
    if (!/^[0-9a-f]{2}$/i.test(this.#checksum) || parseInt(this.#checksum, 16) !== sum) {
      throw new FramingError(`a packet's checksum is ${this.#checksum} instead of ${hex2(sum)}`);
    }
    const data = unescape(raw);
    this.#data.keepLast(0);
    this.#state = "between";
    return data;
  }
}

/** @throws {FramingError} if an escape or a repetition is none, or it grows past the limit */
function unescape(raw: Uint8Array): Uint8Array {
  if (!raw.includes(ESCAPE) && !raw.includes(REPEAT)) return raw.slice();
  const data: number[] = [];
  for (let i = 0; i < raw.length; i++) {
    const byte = raw[i]!;
    if (byte !== ESCAPE && byte !== REPEAT) {
      data.push(byte);
      continue;
    }
    const next = raw[++i];
    const last = data.at(-1);
    if (next === undefined) throw new FramingError("a packet ends in an escape");
    if (byte === ESCAPE) data.push(next ^ ESCAPE_XOR);
    else if (last === undefined || next < REPEAT_BIAS + 3) {
      throw new FramingError("a packet repeats nothing");
    } else for (let n = next - REPEAT_BIAS; n > 0; n--) data.push(last);
    if (data.length > MAX_PACKET_BYTES) throw new FramingError("a packet repeats without end");
  }
  return Uint8Array.from(data);
}

function hex2(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

const DIGIT = new Uint8Array(256).fill(0xff);
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  DIGIT[digit.charCodeAt(0)] = value;
  DIGIT[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Reads bytes written as hex digits; null if they are none. */
export function decodeHex(digits: Uint8Array): Uint8Array | null {
  if (digits.length % 2 !== 0) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = DIGIT[digits[2 * i]!]!;
    const low = DIGIT[digits[2 * i + 1]!]!;
    if ((high | low) > 0xf) return null;
    bytes[i] = high << 4 | low;
  }
  return bytes;
}

/** Writes ASCII text as hex digits. */
export function encodeHex(text: string): string {
  return Array.from(text, (character) => hex2(character.charCodeAt(0))).join("");
}
