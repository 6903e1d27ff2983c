import {
  firstUnbacked,
  type MemoryRange,
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../../memory/physical_memory.ts";
import type { GdbConnection } from "./gdb_connection.ts";
import { decodeHex } from "./packet.ts";

/** Larger reads gain nothing; 11.1 would take 0x10000 as well. */
const MAX_READ_BYTES = 0x10000;
/** QEMU up to 10.0 says PacketSize=1000 and refuses to read 0x801 bytes: two digits each. */
const READ_UNIT_BYTES = 0x800;

/** Beyond this, a QEMU for 32-bit guests may not see the whole address. */
const FOUR_GIB = 1n << 32n;

/** What the stub's memory is read with. */
export interface GdbMemoryInit {
  readonly connection: GdbConnection;
  /** The stub's PacketSize. */
  readonly packetBytes: number;
  /** Where the guest has RAM and ROM. */
  ranges(): Promise<readonly MemoryRange[]>;
  /** Does the stub drop the upper half of an address? */
  cutsAddresses(): Promise<boolean>;
  /** The same memory by another way, for addresses that the stub would cut. */
  readonly byMonitor: PhysicalMemory;
}

/**
 * Guest-physical memory read by a gdbstub in `PhyMemMode`. It keeps to RAM and ROM: elsewhere QEMU up to
 * 10.0 answers zeros, and a device would really be read.
 */
export class GdbMemory implements PhysicalMemory {
  readonly #parts: GdbMemoryInit;
  readonly #readBytes: number;

  constructor(parts: GdbMemoryInit) {
    this.#parts = parts;
    const fitting = Math.floor(parts.packetBytes / 2 / READ_UNIT_BYTES) * READ_UNIT_BYTES;
    this.#readBytes = Math.min(Math.max(fitting, 256), MAX_READ_BYTES);
  }

  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const { byMonitor } = this.#parts;
    const hole = firstUnbacked(await this.#parts.ranges(), address, lengthBytes);
    if (hole !== null) throw new MemoryReadError("outsideRam", hole, lengthBytes);
    const isHigh = address + BigInt(lengthBytes) > FOUR_GIB;
    if (isHigh && await this.#parts.cutsAddresses()) {
      return await byMonitor.read(address, lengthBytes, options);
    }
    const starts: number[] = [];
    for (let at = 0; at < lengthBytes; at += this.#readBytes) starts.push(at);
    const pieces = await Promise.all(
      starts.map((at) =>
        this.#piece(address + BigInt(at), Math.min(this.#readBytes, lengthBytes - at), options)
      ),
    );
    if (pieces.length === 1) return pieces[0]!;
    const bytes = new Uint8Array(lengthBytes);
    pieces.forEach((piece, i) => bytes.set(piece, starts[i]));
    return bytes;
  }

  async #piece(address: bigint, lengthBytes: number, options: ReadOptions): Promise<Uint8Array> {
    const request = `m${address.toString(16)},${lengthBytes.toString(16)}`;
    const reply = await this.#parts.connection.request(request, options);
    const bytes = decodeHex(encoder.encode(reply));
    // `E14` from 11.1 on; an error is as odd in length as no data is.
    if (bytes?.length !== lengthBytes) {
      throw new MemoryReadError("unreadable", address, lengthBytes);
    }
    return bytes;
  }
}

const encoder = new TextEncoder();
