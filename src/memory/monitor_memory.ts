import { checkOptions, LIST } from "../core/options.ts";
import { examineMemory } from "../monitor/commands/examine_memory.ts";
import { readMemoryMap } from "../monitor/commands/read_state.ts";
import type { Monitor } from "../monitor/monitor.ts";
import {
  firstUnbacked,
  type MemoryRange,
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "./physical_memory.ts";

/** How a guest's memory is read through its monitor. */
export interface MonitorMemoryOptions {
  /**
   * Where the guest has RAM and ROM.
   *
   * @default what `info mtree -f` says at the first read
   */
  ranges?: readonly MemoryRange[];
}

/**
 * A guest's physical memory, read through its monitor. It stays inside RAM and ROM: elsewhere `xp`
 * would be a read on the bus that may change a device, so it is refused without a command being sent.
 *
 * @example Usage
 * ```ts
 * import { connect, MemoryReadError, MonitorMemory } from "@pagewalk/pagewalk";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const memory = new MonitorMemory(guest.monitor);
 * assertEquals((await memory.read(0x1000n, 4096)).length, 4096);
 * await assertRejects(() => memory.read(0xfee00000n, 4), MemoryReadError); // The APIC.
 * ```
 */
export class MonitorMemory implements PhysicalMemory {
  readonly #monitor: Monitor;
  #ranges: Promise<readonly MemoryRange[]> | null;

  /** Reads through a monitor; the monitor stays the caller's to close. */
  constructor(monitor: Monitor, options: MonitorMemoryOptions = {}) {
    checkOptions(options, "the options of a monitor's memory", { ranges: LIST });
    this.#monitor = monitor;
    this.#ranges = options.ranges ? Promise.resolve(options.ranges) : null;
  }

  /**
   * Where the guest has RAM and ROM, in address order. Asked of the monitor once; `refresh` forgets it.
   *
   * @throws {MonitorError} if the command fails
   */
  ranges(): Promise<readonly MemoryRange[]> {
    this.#ranges ??= this.#askForRanges();
    return this.#ranges;
  }

  /** Forgets where RAM is, to be called after memory was plugged or firmware has remapped it. */
  refresh(): void {
    this.#ranges = null;
  }

  /**
   * Reads exactly so many bytes of RAM or ROM.
   *
   * @throws {MemoryReadError} if a byte lies outside of RAM and ROM, or QEMU cannot read it
   * @throws {MonitorError} if the command fails
   */
  async read(
    address: bigint,
    lengthBytes: number,
    { signal }: ReadOptions = {},
  ): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const hole = firstUnbacked(await this.ranges(), address, lengthBytes);
    if (hole !== null) throw new MemoryReadError("outsideRam", hole, lengthBytes);
    const dump = await examineMemory(this.#monitor, address, lengthBytes, signal ? { signal } : {});
    if (dump.unreadableFrom !== null) {
      throw new MemoryReadError("unreadable", dump.unreadableFrom, lengthBytes);
    }
    return dump.bytes;
  }

  async #askForRanges(): Promise<readonly MemoryRange[]> {
    try {
      return await readMemoryMap(this.#monitor);
    } catch (error) {
      this.#ranges = null; // A later read may ask again.
      throw error;
    }
  }
}
