import { ReplyParseError } from "../errors.ts";
import { type MemoryDumpRequest, parseMemoryDump } from "../commands/examine_memory.ts";
import type { RecordedExchange } from "./recording.ts";

const PAGE_BYTES = 4096;

/** A page of which some bytes were recorded. */
interface RecordedPage {
  readonly bytes: Uint8Array;
  /** 1 for each byte that was recorded. */
  readonly known: Uint8Array;
}

/** `xp /4gx 0x1000`, as the SDK writes it. */
const EXAMINE = /^xp \/(\d{1,6})([gb])x 0x([0-9a-f]{1,16})$/;
const SIZES = { g: 8, b: 1 } as const;

/**
 * The memory that the replies to `xp` in a recording hold, as it was when the recording ended. How reads are
 * put together depends on when earlier ones were answered, so a replay may ask for recorded memory in other
 * pieces than the recorded session did.
 */
export class RecordedMemory {
  readonly #pages = new Map<bigint, RecordedPage>();

  /** Reads all replies to `xp`, of the human monitor's current vCPU or of any: memory is the same. */
  constructor(exchanges: Iterable<RecordedExchange>) {
    for (const { command, reply } of exchanges) {
      const request = requestOf(command);
      if (request === null || reply === undefined) continue;
      const bytes = recordedBytes(reply, request);
      if (bytes !== null) this.#keep(request.address, bytes);
    }
  }

  /** The reply to an `xp` command, or null if it is none or a byte of it was never recorded. */
  reply(command: string): string | null {
    const request = requestOf(command);
    if (request === null) return null;
    const { address, count, sizeBytes } = request;
    const rows: string[] = [];
    const perRow = 16 / sizeBytes;
    for (let first = 0; first < count; first += perRow) {
      const values: string[] = [];
      for (let i = first; i < Math.min(first + perRow, count); i++) {
        const value = this.#value(address + BigInt(i * sizeBytes), sizeBytes);
        if (value === null) return null;
        values.push(`0x${value}`);
      }
      const at = (address + BigInt(first * sizeBytes)).toString(16).padStart(16, "0");
      rows.push(`${at}: ${values.join(" ")}`);
    }
    return rows.join("\n");
  }

  #keep(address: bigint, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const { page, offset } = placeOf(address + BigInt(i));
      let recorded = this.#pages.get(page);
      if (!recorded) {
        recorded = { bytes: new Uint8Array(PAGE_BYTES), known: new Uint8Array(PAGE_BYTES) };
        this.#pages.set(page, recorded);
      }
      const length = Math.min(bytes.length - i, PAGE_BYTES - offset);
      recorded.bytes.set(bytes.subarray(i, i + length), offset);
      recorded.known.fill(1, offset, offset + length);
      i += length - 1;
    }
  }

  /** A value's digits, the lowest byte last; null if a byte is missing. */
  #value(address: bigint, sizeBytes: number): string | null {
    let digits = "";
    for (let i = 0; i < sizeBytes; i++) {
      const { page, offset } = placeOf(address + BigInt(i));
      const recorded = this.#pages.get(page);
      if (!recorded?.known[offset]) return null;
      digits = recorded.bytes[offset]!.toString(16).padStart(2, "0") + digits;
    }
    return digits;
  }
}

/** The bytes of a reply; null if it is damaged: whoever asks for just that command is told so. */
function recordedBytes(reply: string, request: MemoryDumpRequest): Uint8Array | null {
  try {
    return parseMemoryDump(reply, request).bytes;
  } catch (error) {
    if (error instanceof ReplyParseError) return null;
    throw error;
  }
}

function placeOf(address: bigint): { page: bigint; offset: number } {
  return { page: address >> 12n, offset: Number(address & 0xfffn) };
}

function requestOf(command: string): MemoryDumpRequest | null {
  const [, count, unit, address] = EXAMINE.exec(command) ?? [];
  if (count === undefined) return null;
  return { address: BigInt(`0x${address}`), count: Number(count), sizeBytes: SIZES[unit as "g"] };
}
