import type { CpuState, SegmentName, SegmentState } from "./hmp_text/machine.ts";
import type { PageTableMode } from "./page_table_builder.ts";
import type { SimulatedProcess } from "./simulated_guest_spaces.ts";
import { SeededRandom } from "./simulated_guest_random.ts";

/** What decides a vCPU's registers. */
export interface CpuSituation {
  /** The vCPU's number. */
  cpu: number;
  /** The guest's paging mode. */
  mode: PageTableMode | "none";
  /** Whose tables it uses; null for a vCPU that was never started. */
  process: SimulatedProcess | null;
  /** True for 64-bit modes with CR4.PCIDE. */
  pcid: boolean;
  /** Where the programs' stack starts. */
  stack: bigint;
  /** Varies the general registers. */
  seed: number;
}

// As Linux 6.1 leaves them under QEMU's `-cpu max`, PCIDE aside.
const CR4: Readonly<Record<PageTableMode | "none", bigint>> = {
  "5-level": 0x751eb0n,
  "4-level": 0x750eb0n,
  "pae": 0x3406b0n,
  "32-bit": 0x340690n,
  "none": 0n,
};
const PCID_ENABLE = 1n << 17n;
/** Linux gives the user's half of a KPTI pair the kernel's PCID with bit 11 set. */
const USER_PCID = 1n << 11n;
const EFER: Readonly<Record<PageTableMode | "none", bigint>> = {
  "5-level": 0xd01n,
  "4-level": 0xd01n,
  "pae": 0x800n,
  "32-bit": 0n,
  "none": 0n,
};
/** Where RSP stands in CpuState.general. */
const STACK_POINTER = 7;
const KERNEL_IDLE_64 = 0xffff_ffff_81a1_7a0bn;
const KERNEL_IDLE_32 = 0xc1a1_7a0bn;

/** Makes a vCPU's state: in user mode if it runs a program, halted if it has nothing to do. */
export function cpuStateOf(situation: CpuSituation): CpuState {
  const { cpu, mode, process } = situation;
  if (process === null) return offState(cpu);
  const wide = mode === "4-level" || mode === "5-level";
  const idle = process.name === "idle";
  const random = new SeededRandom(situation.seed * 31 + cpu * 7 + process.pid);
  const general = Array.from(
    { length: 16 },
    () => (wide ? random.word() : random.word() & 0xffff_ffffn),
  );
  if (!idle) general[STACK_POINTER] = situation.stack + 0x2_0e00n;
  const kernelIp = wide ? KERNEL_IDLE_64 : KERNEL_IDLE_32;
  return {
    cpu,
    rip: idle ? kernelIp : 0x40_1000n + BigInt(random.below(0x1000)),
    rflags: idle ? 0x246n : 0x202n,
    cpl: idle ? 0 : 3,
    cr0: mode === "none" ? 0x11n : 0x8005_0033n,
    cr2: idle || mode === "none" ? 0n : 0x42_ee70n,
    cr3: cr3Of(situation, process),
    cr4: CR4[mode] | (situation.pcid ? PCID_ENABLE : 0n),
    efer: EFER[mode],
    halted: idle,
    general,
    segments: wide ? segments64(cpu, idle) : segments32(idle),
    gdt: {
      base: wide ? 0xffff_fe00_0000_1000n + BigInt(cpu) * 0x3_b000n : 0xff80_1000n,
      limit: wide ? 0x7f : 0xff,
    },
    idt: { base: wide ? 0xffff_fe00_0000_0000n : 0xff80_0000n, limit: wide ? 0xfff : 0x7ff },
    avx: mode !== "none",
    vectors: Array.from({ length: 16 }, () => random.word() << 64n | random.word()),
  };
}

function cr3Of({ mode, pcid }: CpuSituation, process: SimulatedProcess): bigint {
  if (mode === "none") return 0n;
  const inUserMode = process.userRoot !== null && process.name !== "idle";
  const root = inUserMode ? process.userRoot! : process.root;
  if (!pcid) return root;
  const kernelPcid = process.name === "idle" ? 0n : BigInt(process.pid % 6 + 1);
  return root | kernelPcid | (inUserMode ? USER_PCID : 0n);
}

/** A vCPU after reset that waits for a start-up message: CR3 is 0. */
function offState(cpu: number): CpuState {
  const flat = (flags: number): SegmentState => ({ selector: 0, base: 0n, limit: 0xffff, flags });
  const data = flat(0x9300);
  return {
    cpu,
    rip: 0xfff0n,
    rflags: 2n,
    cpl: 0,
    cr0: 0x6000_0010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    halted: true,
    general: [0n, 0n, 0n, 0x6_0fb1n],
    segments: {
      ES: data,
      CS: { selector: 0xf000, base: 0xffff_0000n, limit: 0xffff, flags: 0x9b00 },
      SS: data,
      DS: data,
      FS: data,
      GS: data,
      LDT: flat(0x8200),
      TR: flat(0x8b00),
    },
    gdt: { base: 0n, limit: 0xffff },
    idt: { base: 0n, limit: 0xffff },
    avx: false,
    vectors: Array.from({ length: 16 }, () => 0n),
  };
}

const NULL_SEGMENT: SegmentState = { selector: 0, base: 0n, limit: 0, flags: 0 };

// Selectors and descriptors as Linux sets them up: arch/x86/include/asm/segment.h.
function segments64(cpu: number, kernel: boolean): Record<SegmentName, SegmentState> {
  const perCpu = 0xffff_8880_3ec0_0000n + BigInt(cpu) * 0x10_0000n;
  const flat = (selector: number, flags: number) => ({
    selector,
    base: 0n,
    limit: 0xffff_ffff,
    flags,
  });
  return {
    ES: NULL_SEGMENT,
    CS: kernel ? flat(0x10, 0xaf9b00) : flat(0x33, 0xaffb00),
    SS: kernel ? flat(0x18, 0xcf9300) : flat(0x2b, 0xcff300),
    DS: NULL_SEGMENT,
    FS: kernel ? NULL_SEGMENT : { ...NULL_SEGMENT, base: 0x4c_23c0n },
    GS: kernel ? { ...NULL_SEGMENT, base: perCpu } : NULL_SEGMENT,
    LDT: { ...NULL_SEGMENT, flags: 0x8200 },
    TR: {
      selector: 0x40,
      base: 0xffff_fe00_0000_3000n + BigInt(cpu) * 0x3_b000n,
      limit: 0x4087,
      flags: 0x8900,
    },
  };
}

function segments32(kernel: boolean): Record<SegmentName, SegmentState> {
  const flat = (selector: number, flags: number) => ({
    selector,
    base: 0n,
    limit: 0xffff_ffff,
    flags,
  });
  const data = flat(0x7b, 0xcff300);
  return {
    ES: data,
    CS: kernel ? flat(0x60, 0xcf9b00) : flat(0x73, 0xcffb00),
    SS: kernel ? flat(0x68, 0xcf9300) : data,
    DS: data,
    FS: kernel ? flat(0xd8, 0xcf9300) : NULL_SEGMENT,
    GS: NULL_SEGMENT,
    LDT: { ...NULL_SEGMENT, flags: 0x8200 },
    TR: { selector: 0x80, base: 0xff80_7000n, limit: 0x206b, flags: 0x8900 },
  };
}
