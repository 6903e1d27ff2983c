import { type InProcessTransport, inProcessTransport } from "./fake_monitor_in_process.ts";
import type { FakeMonitorOptions } from "./fake_monitor_options.ts";
import type { MonitorSession, MonitorSource } from "./fake_monitor_source.ts";
import { QEMU_FLAVOURS } from "./hmp_text/flavours.ts";
import { hex } from "./hmp_text/hex.ts";
import type { HmpMachine } from "./hmp_text/machine.ts";
import { HmpSession } from "./hmp_text/session.ts";
import { RiscvPageTables } from "./riscv_page_tables.ts";
import { ramRange, SparseMemory } from "./sparse_memory.ts";

const RAM = 0x8000_0000n;
const RAM_END = 0x8800_0000n;
const TABLES = 0x87e0_0000n;
/** MAXVA of xv6: the trampoline's page lies below it, the trap frame's below that. */
const TOP = 1n << 38n;

/** The addresses of the simulated RISC-V guest worth looking at. */
export const RISCV_ADDRESSES = {
  /** A page of the process's data: user mode may touch it. */
  data: 0x1000n,
  /** The guard page below its stack: mapped, and closed to user mode. */
  guard: 0x2000n,
  /** The trampoline, in every address space: the supervisor's, executable. */
  trampoline: TOP - 0x1000n,
} as const;

/**
 * A small RISC-V machine that looks like xv6 on QEMU's `virt`: Sv39, hart 0 on a process's tables, hart 1
 * on the kernel's. It answers monitor commands with QEMU's text.
 *
 * @example Usage
 * ```ts
 * import { SimulatedRiscvGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new SimulatedRiscvGuest().harts.length, 2);
 * ```
 */
export class SimulatedRiscvGuest implements MonitorSource {
  /** The version of QEMU that it speaks like. */
  readonly version: string = QEMU_FLAVOURS["7.2"].version;
  /** The guest's memory. */
  readonly memory: SparseMemory = new SparseMemory({ ranges: [ramRange(RAM, RAM_END)] });
  /** The tables of each hart. */
  readonly harts: readonly RiscvPageTables[];

  /** Use {@linkcode simulatedRiscvGuest}. */
  constructor() {
    const process = new RiscvPageTables("Sv39", this.memory, TABLES);
    process.map(0n, 0x87f3_c000n, 0, { bits: "VRXUA" });
    process.map(RISCV_ADDRESSES.data, 0x87f4_d000n, 0, { bits: "VRWUAD" });
    process.map(RISCV_ADDRESSES.guard, 0x87f4_8000n, 0, { bits: "VRW" });
    process.map(0x3000n, 0x87f4_7000n, 0, { bits: "VRWUAD" });
    process.map(TOP - 0x2000n, 0x87f4_2000n, 0, { bits: "VRWAD" });
    process.map(RISCV_ADDRESSES.trampoline, 0x8000_7000n, 0, { bits: "VRXA" });
    const kernel = new RiscvPageTables("Sv39", this.memory, TABLES + 0x10_0000n);
    kernel.map(0x1000_0000n, 0x1000_0000n, 0, { bits: "VRWAD" });
    for (let page = RAM; page < RAM + 0x8000n; page += 0x1000n) {
      kernel.map(page, page, 0, { bits: "VRXA" });
    }
    for (let page = RAM + 0x8000n; page < RAM + 0x2_0000n; page += 0x1000n) {
      kernel.map(page, page, 0, { bits: "VRWAD" });
    }
    kernel.map(RISCV_ADDRESSES.trampoline, 0x8000_7000n, 0, { bits: "VRXA" });
    this.harts = [process, kernel];
  }

  /** Opens a monitor of its own, whose current hart is `cpu`. */
  openMonitor(cpu = 0): MonitorSession {
    return new RiscvSession(this, cpu);
  }

  /** Connects to a monitor of its own inside this process: no socket, no permission. */
  transport(options: FakeMonitorOptions = {}): InProcessTransport {
    return inProcessTransport(this, options, "sim:riscv64");
  }
}

/**
 * Makes a simulated RISC-V guest.
 *
 * @example Usage
 * ```ts
 * import { simulatedRiscvGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const [process] = simulatedRiscvGuest().harts;
 * assertEquals(process?.expect(0x2000n).outcome, "mapped");
 * ```
 */
export function simulatedRiscvGuest(): SimulatedRiscvGuest {
  return new SimulatedRiscvGuest();
}

/** A monitor: what a RISC-V machine prints otherwise than a PC is here, the rest is as there. */
class RiscvSession implements MonitorSession {
  readonly #guest: SimulatedRiscvGuest;
  readonly #others: HmpSession;
  #cpu: number;

  constructor(guest: SimulatedRiscvGuest, cpu: number) {
    this.#guest = guest;
    this.#cpu = cpu;
    this.#others = new HmpSession(machineOf(guest), cpu);
  }

  answer(line: string): { text: string } {
    const words = line.trim().split(/\s+/);
    const { harts } = this.#guest;
    switch (words.slice(0, words[0] === "info" ? 2 : 1).join(" ")) {
      case "info registers": {
        const which = words[2] === "-a" ? harts.keys() : [this.#cpu];
        return { text: Array.from(which, (cpu) => registersText(harts[cpu]!, cpu)).join("") };
      }
      case "info mtree":
        return { text: MEMORY_TREE };
      case "gva2gpa": {
        const found = harts[this.#cpu]!.expect(BigInt(words[1] ?? "0"));
        if (found.outcome !== "mapped") return { text: "Unmapped\n" };
        return { text: `gpa: 0x${found.physicalAddress.toString(16)}\n` };
      }
      case "info tlb":
        return { text: "unknown command: 'info tlb'\n" };
      case "cpu":
        if (Number(words[1]) < harts.length) this.#cpu = Number(words[1]);
    }
    return this.#others.answer(line);
  }
}

function registersText(tables: RiscvPageTables, cpu: number): string {
  const isKernel = cpu === 1;
  const registers: [string, bigint][] = [
    ["pc", isKernel ? 0x8000_1d2en : 0x1bcn],
    ["mhartid", BigInt(cpu)],
    ["mstatus", isKernel ? 0xa_0000_00a2n : 0xa_0000_0020n],
    ["hstatus", 0n],
    ["vsstatus", 0n],
    ["satp", tables.rootRegister],
  ];
  const lines = registers.map(([name, value]) => ` ${name.padEnd(8)} ${hex(value, 16)}`);
  return `\nCPU#${cpu}\n V      =   0\n${lines.join("\n")}\n`;
}

const MEMORY_TREE = `FlatView #0
 AS "memory", root: system
 AS "cpu-memory-0", root: system
 AS "cpu-memory-1", root: system
 Root memory region: system
  0000000010000000-0000000010000007 (prio 0, i/o): serial
  ${hex(RAM, 16)}-${hex(RAM_END - 1n, 16)} (prio 0, ram): riscv_virt_board.ram

`;

function machineOf({ memory, harts }: SimulatedRiscvGuest): HmpMachine {
  const notX86 = () => {
    throw new Error("A RISC-V hart has no registers of an x86 vCPU");
  };
  return {
    flavour: QEMU_FLAVOURS["7.2"],
    cpuCount: harts.length,
    memoryRows: [],
    running: true,
    cpuState: notX86,
    sampleCpus: notX86,
    readBus(address, lengthBytes) {
      const isRam = address >= RAM && address + BigInt(lengthBytes) <= RAM_END;
      return isRam ? memory.readBytes(address, lengthBytes) : null;
    },
  };
}
