import type { CpuRegisters } from "../arch/x86/registers.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { MemoryRange } from "../memory/physical_memory.ts";
import type { FakeMonitorOptions } from "./fake_monitor_options.ts";
import { type InProcessTransport, inProcessTransport } from "./fake_monitor_in_process.ts";
import type { MonitorSource } from "./fake_monitor_source.ts";
import { QEMU_FLAVOURS, type QemuRelease } from "./hmp_text/flavours.ts";
import { pcMemoryRows } from "./hmp_text/pc_memory_rows.ts";
import { HmpSession } from "./hmp_text/session.ts";
import { decodeFrame } from "./_page_table_formats.ts";
import type { PageTableMode } from "./page_table_builder.ts";
import { type DeviceRead, memoryRanges, SimulatedBus } from "./simulated_guest_bus.ts";
import { cpuStateOf } from "./simulated_guest_cpu.ts";
import { addressesOf, type SimulatedAddresses } from "./simulated_guest_layout.ts";
import { type CpuOccupation, SimulatedMachine } from "./simulated_guest_machine.ts";
import { SeededRandom } from "./simulated_guest_random.ts";
import {
  buildSpaces,
  type SimulatedProcess,
  type SimulatedProcessName,
} from "./simulated_guest_spaces.ts";
import { SparseMemory } from "./sparse_memory.ts";

/** What kind of guest to simulate. */
export interface SimulatedGuestOptions {
  /**
   * The paging mode.
   *
   * @default {"4-level"}
   */
  mode?: PageTableMode | "none";
  /**
   * The QEMU release whose monitor it speaks.
   *
   * @default {"7.2"}
   */
  qemu?: QemuRelease;
  /**
   * Decides which frames pages lie in and what general registers hold. The addresses in
   * {@linkcode SimulatedGuest.addresses} do not depend on it.
   *
   * @default {1}
   */
  seed?: number;
  /**
   * Kernel page-table isolation: each process has two roots, and runs on the second. Only in 4-level
   * and 5-level paging.
   *
   * @default {false}
   */
  kpti?: boolean;
  /**
   * CR4.PCIDE: the low 12 bits of CR3 are a process-context identifier. Only in 4-level and 5-level
   * paging.
   *
   * @default {false}
   */
  pcid?: boolean;
  /**
   * What each vCPU does at each tick, over and over: `[["idle", "target"], ["idle"]]` lets vCPU 0
   * run `target` every other time. Time passes by one tick with each command that shows registers,
   * unless the machine is stopped.
   *
   * @default {[["target"], ["idle"]]}
   */
  schedule?: readonly (readonly CpuOccupation[])[];
}

const RAM_BYTES = 4n << 30n;
const DEFAULT_SCHEDULE: readonly (readonly CpuOccupation[])[] = [["target"], ["idle"]];
/** What the BIOS holds at the reset vector: a far jump, its date, and the model of the PC. */
const RESET_VECTOR = [
  ...[0xea, 0x5b, 0xe0, 0x00, 0xf0],
  ...new TextEncoder().encode("06/23/99"),
  ...[0x00, 0xfc, 0x00],
];

/**
 * A small machine that looks like Linux on QEMU's `pc`: 4 GiB of RAM with a hole below 4 GiB, two
 * vCPUs, a process `target` that maps a DMA buffer of which the first 16 pages have U clear, an
 * unrelated process `other`, and the kernel alone, `idle`. It answers monitor commands with QEMU's
 * text. The same options make the same guest, byte for byte.
 */
export class SimulatedGuest implements MonitorSource {
  /** The paging mode. */
  readonly mode: PageTableMode | "none";
  /** The version of QEMU that it speaks like, such as `7.2.22`. */
  readonly version: string;
  /** The addresses worth looking at, by name. */
  readonly addresses: SimulatedAddresses;
  /** The processes with their page tables. */
  readonly processes: readonly SimulatedProcess[];
  /** The guest's memory, to be read without a monitor, or to be written to. */
  readonly memory: SparseMemory;
  readonly #machine: SimulatedMachine;
  #ownSession: HmpSession | undefined;

  /** Use {@linkcode simulatedGuest}. */
  constructor(options: SimulatedGuestOptions = {}) {
    const { mode = "4-level", qemu = "7.2", seed = 1, kpti = false, pcid = false } = options;
    if ((kpti || pcid) && mode !== "4-level" && mode !== "5-level") {
      throw new InvalidArgumentError(
        `A ${mode} guest has no ${kpti ? "kpti" : "pcid"}: only 4-level and 5-level ones have`,
        options,
      );
    }
    const flavour = QEMU_FLAVOURS[qemu];
    const rows = pcMemoryRows(RAM_BYTES, flavour);
    this.mode = mode;
    this.version = flavour.version;
    this.addresses = addressesOf(mode);
    this.memory = new SparseMemory({ ranges: memoryRanges(rows) });
    this.memory.writeBytes(0xffff_fff0n, Uint8Array.from(RESET_VECTOR));
    this.processes = mode === "none" ? withoutPaging() : buildSpaces({
      mode,
      addresses: this.addresses,
      memory: this.memory,
      random: new SeededRandom(seed),
      isolated: kpti,
    });
    this.#machine = new SimulatedMachine({
      flavour,
      rows,
      bus: new SimulatedBus(rows, this.memory, flavour),
      schedule: options.schedule ?? DEFAULT_SCHEDULE,
      stateOf: (cpu, occupation) =>
        cpuStateOf({
          cpu,
          mode,
          process: occupation === "off" ? null : this.process(occupation),
          pcid,
          stack: this.addresses.stack,
          seed,
        }),
    });
    this.#labelDmaPages();
  }

  /** The ranges of RAM and ROM, as `info mtree -f` shows them. */
  get ranges(): readonly MemoryRange[] {
    return this.memory.ranges;
  }

  /** The reads over the monitor that reached a device, oldest first: there should be none. */
  get deviceReads(): readonly DeviceRead[] {
    return this.#machine.bus.deviceReads;
  }

  /** False while the machine is stopped, as by the monitor's `stop`. */
  get running(): boolean {
    return this.#machine.running;
  }

  /** Returns a process by its name. */
  process(name: SimulatedProcessName): SimulatedProcess {
    return this.processes.find((process) => process.name === name)!;
  }

  /** Returns the registers of a vCPU, numbered from 0, without letting time pass. */
  registers(cpu: number): CpuRegisters {
    const { rip, rflags, cpl, cr0, cr2, cr3, cr4, efer, halted } = this.#machine.cpuState(cpu);
    return { cpu, rip, rflags, cpl, cr0, cr2, cr3, cr4, efer, halted };
  }

  /** Lets a vCPU do one thing from now on, whatever the schedule said. */
  run(cpu: number, occupation: CpuOccupation): void {
    this.#machine.setSchedule(cpu, [occupation]);
  }

  /** Lets time pass by one tick of the schedule. */
  tick(): void {
    this.#machine.tick++;
  }

  /**
   * Runs one monitor command and returns what QEMU prints, each line ended by `\n`. Its `cpu N` is
   * its own: monitors opened elsewhere keep their vCPU.
   */
  command(line: string): string {
    this.#ownSession ??= this.openMonitor();
    return this.#ownSession.answer(line).text;
  }

  /** Opens a monitor of its own, whose current vCPU is `cpu`. */
  openMonitor(cpu = 0): HmpSession {
    return new HmpSession(this.#machine, cpu);
  }

  /** Connects to a monitor of its own inside this process: no socket, no permission. */
  transport(options: FakeMonitorOptions = {}): InProcessTransport {
    return inProcessTransport(this, options);
  }

  /** Writes which page it is at the start of each page of the DMA buffer. */
  #labelDmaPages(): void {
    const tables = this.processes.find((process) => process.name === "target")?.tables;
    if (!tables) return;
    const { start, lengthBytes } = this.addresses.dmaBuffer;
    const encoder = new TextEncoder();
    for (let offset = 0; offset < lengthBytes; offset += 0x1000) {
      const frame = decodeFrame(
        "4K",
        tables.entry(start + BigInt(offset), 1),
        tables.maxPhysAddrBits,
      );
      this.memory.writeBytes(frame, encoder.encode(`DMA page ${offset / 0x1000}\n`));
    }
  }
}

/**
 * Makes a simulated guest.
 *
 * @throws {InvalidArgumentError} if the mode has no KPTI or PCID
 *
 * @example Usage
 * ```ts
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest({ qemu: "11.1" });
 * assertEquals(guest.command("info status"), "VM status: running\n");
 * assertEquals(guest.addresses.cleared, 0x7f1234567000n);
 * assertEquals(guest.process("target").tables!.entry(guest.addresses.cleared, 1) & 4n, 0n);
 * ```
 */
export function simulatedGuest(options: SimulatedGuestOptions = {}): SimulatedGuest {
  return new SimulatedGuest(options);
}

function withoutPaging(): SimulatedProcess[] {
  return (["idle", "target", "other"] as const).map((name, i) => ({
    name,
    pid: i,
    root: 0n,
    userRoot: null,
    tables: null,
  }));
}
