import type { QemuFlavour } from "./hmp_text/flavours.ts";
import type { MemoryRow } from "./hmp_text/machine.ts";
import type { MemoryRange } from "../memory/physical_memory.ts";
import type { SparseMemory } from "./sparse_memory.ts";

/** A read that reached a device: on a real machine it may have changed the device. */
export interface DeviceRead {
  /** The device's memory region, as in `info mtree -f`. */
  device: string;
  /** The guest-physical address. */
  address: bigint;
  /** How much was read, in bytes. */
  lengthBytes: number;
}

/** So that a test that reads devices for hours does not fill memory. */
const MAX_DEVICE_READS = 10_000;

/** The machine's physical address space: memory, and devices that answer reads. */
export class SimulatedBus {
  /** The reads that reached a device, oldest first; no more are kept after 10,000. */
  readonly deviceReads: DeviceRead[] = [];
  readonly #rows: readonly MemoryRow[];
  readonly #memory: SparseMemory;
  readonly #flavour: QemuFlavour;

  /** A bus with these rows, whose RAM and ROM is in `memory`. */
  constructor(rows: readonly MemoryRow[], memory: SparseMemory, flavour: QemuFlavour) {
    this.#rows = rows;
    this.#memory = memory;
    this.#flavour = flavour;
  }

  /** Reads as QEMU does for `xp`: null if there is nothing behind any byte. */
  read(address: bigint, lengthBytes: number): Uint8Array | null {
    const end = address + BigInt(lengthBytes);
    const bytes = new Uint8Array(lengthBytes);
    let at = address;
    for (const row of this.#rows) {
      if (at >= end) break;
      if (row.end <= at) continue;
      if (row.start > at) return null;
      const stop = row.end < end ? row.end : end;
      bytes.set(this.#readRow(row, at, Number(stop - at)), Number(at - address));
      at = stop;
    }
    return at >= end ? bytes : null;
  }

  #readRow(row: MemoryRow, address: bigint, lengthBytes: number): Uint8Array {
    if (isMemory(row)) return this.#memory.readBytes(address, lengthBytes);
    if (this.deviceReads.length < MAX_DEVICE_READS) {
      this.deviceReads.push({ device: row.name, address, lengthBytes });
    }
    const offset = Number(address - row.start);
    const byteAt = this.#device(row.name);
    return Uint8Array.from({ length: lengthBytes }, (_, i) => byteAt(offset + i));
  }

  /** What the devices were seen to answer in QEMU 5.2 to 11.1; the others answer zeros. */
  #device(name: string): (offset: number) => number {
    switch (name) {
      case "vga-lowmem":
        return () => 0xff;
      case "apic-msi":
        return () => this.#flavour.localApicByte;
      case "ioapic":
        return (offset) => (offset === 0 ? 0x18 : 0);
      case "hpet":
        return (offset) => (offset < 8 ? Number(HPET_ID >> BigInt(8 * offset) & 0xffn) : 0);
      default:
        return () => 0;
    }
  }
}

const HPET_ID = 0x0098_9680_8086_a201n;

/** The rows that are memory, as ranges. */
export function memoryRanges(rows: readonly MemoryRow[]): MemoryRange[] {
  return rows.filter(isMemory).map(({ start, end, type, name, offset }) => ({
    start,
    end,
    kind: type,
    name,
    offset,
  }));
}

function isMemory(row: MemoryRow): row is MemoryRow & { type: "ram" | "rom" } {
  return row.type === "ram" || row.type === "rom";
}
