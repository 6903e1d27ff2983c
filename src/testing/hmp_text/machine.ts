import type { CpuRegisters } from "../../arch/x86/registers.ts";
import type { QemuFlavour } from "./flavours.ts";

/** The segment registers in the order of `info registers`. */
export const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"] as const;

/** The name of a segment register. */
export type SegmentName = typeof SEGMENT_NAMES[number];

/** A segment register with the descriptor that the CPU cached for it. */
export interface SegmentState {
  /** The selector, 16 bits. */
  selector: number;
  /** The linear address where the segment starts. */
  base: bigint;
  /** The offset of its last byte. */
  limit: number;
  /** The descriptor's second word with the address bits cleared, as QEMU keeps it: P is bit 15. */
  flags: number;
}

/** GDTR or IDTR. */
export interface TableRegister {
  /** The linear address of the table. */
  base: bigint;
  /** The offset of its last byte. */
  limit: number;
}

/** One vCPU's state, as far as `info registers` shows it. */
export interface CpuState extends CpuRegisters {
  /** RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8 to R15: the order of `info registers`. */
  general: readonly bigint[];
  /** The segment registers. */
  segments: Readonly<Record<SegmentName, SegmentState>>;
  /** GDTR. */
  gdt: TableRegister;
  /** IDTR. */
  idt: TableRegister;
  /** True if the guest switched AVX on, so that newer QEMUs show YMM instead of XMM. */
  avx: boolean;
  /** The sixteen vector registers, 256 bits each. */
  vectors: readonly bigint[];
}

/** One row of `info mtree -f`: a run of guest-physical addresses, or of I/O ports. */
export interface MemoryRow {
  /** The first address. */
  start: bigint;
  /** The address after the last one. */
  end: bigint;
  /** QEMU's priority of the region. */
  priority: number;
  /** What the region is; `container` is what 11.1 calls the gaps between I/O ports. */
  type: "ram" | "rom" | "i/o" | "container";
  /** QEMU's name of the region. */
  name: string;
  /** Where the run starts inside the region, in bytes. */
  offset: bigint;
}

/** A machine, as far as the monitor's commands can look into it or change it. */
export interface HmpMachine {
  /** Which QEMU it prints like. */
  readonly flavour: QemuFlavour;
  /** The number of vCPUs, numbered from 0. */
  readonly cpuCount: number;
  /** The guest-physical address space, in address order. */
  readonly memoryRows: readonly MemoryRow[];
  /** MAXPHYADDR of its vCPUs. @default {40}, TCG's */
  readonly physicalBits?: number;
  /** False after `stop`. */
  running: boolean;
  /** Returns one vCPU's state. */
  cpuState(cpu: number): CpuState;
  /** Returns every vCPU's state for a command that shows registers; time may then go on. */
  sampleCpus(): readonly CpuState[];
  /** Reads the bus as QEMU's debugger does: null if any byte has nothing behind it. */
  readBus(address: bigint, lengthBytes: number): Uint8Array | null;
}

/** EFER.LMA: the vCPU is in long mode. */
export function isLongMode(cpu: CpuRegisters): boolean {
  return (cpu.efer >> 10n & 1n) === 1n;
}

/** True if the vCPU runs 64-bit code: in long mode, with the L bit (21) in CS's descriptor. */
export function runs64BitCode(cpu: CpuState): boolean {
  return isLongMode(cpu) && (cpu.segments.CS.flags & 1 << 21) !== 0;
}
