import { FORMATS, PAGE_BYTES } from "./_page_table_formats.ts";
import type { PageTableMode } from "./page_table_builder.ts";
import { PageTableBuilder } from "./page_table_builder.ts";
import {
  CORRUPT_TABLE,
  entryAreaRuns,
  kernelRuns,
  type PageRun,
  programRuns,
  type SimulatedAddresses,
  targetRuns,
} from "./simulated_guest_layout.ts";
import { FramePool, type SeededRandom } from "./simulated_guest_random.ts";
import type { SparseMemory } from "./sparse_memory.ts";

/** The processes of the simulated guest. */
export type SimulatedProcessName = "idle" | "target" | "other";

/** One process and its page tables. */
export interface SimulatedProcess {
  /** Its name. */
  name: SimulatedProcessName;
  /** Its process id. */
  pid: number;
  /** The physical address of its top table: under KPTI, of the one for kernel mode. */
  root: bigint;
  /** Under KPTI the top table for user mode, one page above; else null. */
  userRoot: bigint | null;
  /**
   * What built the tables, for changing entries and for asking what a walk must find; null with
   * paging off. Under KPTI it is that of `userRoot`.
   */
  tables: PageTableBuilder | null;
}

/** What the tables are built from. */
export interface SpacesOptions {
  /** The paging mode. */
  mode: PageTableMode;
  /** Where everything lies. */
  addresses: SimulatedAddresses;
  /** The guest's memory. */
  memory: SparseMemory;
  /** Decides which frames are used. */
  random: SeededRandom;
  /** True for a pair of roots per process. */
  isolated: boolean;
}

const PIDS: Readonly<Record<SimulatedProcessName, number>> = { idle: 0, target: 412, other: 97 };
// Each space has a MiB of its own for its tables, past the kernel's image.
const TABLES: Readonly<Record<SimulatedProcessName, bigint>> = {
  idle: 0x500_0000n,
  target: 0x510_0000n,
  other: 0x520_0000n,
};
const LOW_FRAMES = 0x1000_0000n;
const DMA_FRAMES = 0x1_1000_0000n;
const NO_EXECUTE = 1n << 63n;
const TOP_ENTRIES = 512n;

/** Builds the page tables of every process. */
export function buildSpaces(options: SpacesOptions): SimulatedProcess[] {
  const { mode, addresses, memory, random } = options;
  const frames = {
    shuffled: new FramePool(LOW_FRAMES, 512, random),
    dma: new FramePool(mode === "32-bit" ? LOW_FRAMES + 0x20_0000n : DMA_FRAMES, 256, random),
  };
  const kernel = new PageTableBuilder(mode, memory, { tablesAt: TABLES.idle });
  const ofKernel = kernelRuns(mode, addresses);
  mapRuns(kernel, ofKernel, frames);

  const process = (name: SimulatedProcessName, runs: readonly PageRun[]): SimulatedProcess => {
    const tablesAt = TABLES[name] + (options.isolated ? 0x1000n : 0n);
    const tables = new PageTableBuilder(mode, memory, { tablesAt });
    mapRuns(tables, runs, frames);
    const pid = PIDS[name];
    if (!options.isolated) {
      shareKernel(tables, kernel, ofKernel);
      return { name, pid, root: tables.root, userRoot: null, tables };
    }
    mapRuns(tables, entryAreaRuns(true), frames);
    writeKernelRoot(memory, TABLES[name], tables.root, kernel.root);
    return { name, pid, root: TABLES[name], userRoot: tables.root, tables };
  };

  const program = programRuns(mode, addresses);
  const target = process("target", [...program, ...targetRuns(mode, addresses)]);
  spoil(target.tables!, addresses, frames.shuffled);
  return [
    { name: "idle", pid: PIDS.idle, root: kernel.root, userRoot: null, tables: kernel },
    target,
    process("other", program),
  ];
}

function mapRuns(
  tables: PageTableBuilder,
  runs: readonly PageRun[],
  pools: Readonly<Record<"shuffled" | "dma", FramePool>>,
): void {
  for (const { at, pages, size, rights, frames } of runs) {
    const step = PAGE_BYTES[size];
    for (let page = 0n; page < pages; page++) {
      const frame = typeof frames === "bigint" ? frames + page * step : pools[frames].take();
      tables.map(at + page * step, frame, size, rights);
    }
  }
}

/** Puts what no program asks for into the tables: missing, broken and half-denied entries. */
function spoil(tables: PageTableBuilder, at: SimulatedAddresses, frames: FramePool): void {
  tables.setRights(at.parentCleared, 2, { user: false });
  if (at.grandparentCleared !== null) {
    tables.setRights(at.grandparentCleared, 3, { user: false });
  }
  const frame = frames.take();
  tables.change(at.protNone, 1, () => protNoneEntry(tables.mode, frame));
  tables.change(at.swapped, 1, () => swapEntry(tables.mode, 1n, 0x1234n));
  if (at.reservedBit !== null) tables.change(at.reservedBit, 1, (raw) => raw | 1n << 51n);
  const level = tables.mode === "4-level" || tables.mode === "5-level" ? 3 : 2;
  tables.change(at.corruptTable, level, () => CORRUPT_TABLE | 0x67n);
}

/**
 * Linux's PAGE_NONE: present clear, bit 8 set. Against L1TF the frame is stored inverted, but not in
 * two-level paging (arch/x86/include/asm/pgtable-invert.h).
 */
function protNoneEntry(mode: PageTableMode, frame: bigint): bigint {
  const flags = 0x160n;
  if (mode === "32-bit") return frame | flags;
  return (~frame & 0x000f_ffff_ffff_f000n) | NO_EXECUTE | flags;
}

/** Linux's swap entry: arch/x86/include/asm/pgtable_64.h, pgtable-3level.h, pgtable-2level.h. */
function swapEntry(mode: PageTableMode, area: bigint, offset: bigint): bigint {
  if (mode === "32-bit") return offset << 9n | area << 1n;
  return BigInt.asUintN(64, ~offset << 14n) >> 5n | area << 59n;
}

/** Lets a process see the kernel: the entries of its top table that name the kernel's tables. */
function shareKernel(
  tables: PageTableBuilder,
  kernel: PageTableBuilder,
  ofKernel: readonly PageRun[],
): void {
  const { level, shift } = FORMATS[tables.mode].levels[0]!;
  for (const { at, pages, size } of ofKernel) {
    const last = at + BigInt(pages) * PAGE_BYTES[size] - 1n;
    for (let top = at >> shift; top <= last >> shift; top++) {
      const va = top << shift;
      tables.change(va, level, () => kernel.entry(va, level));
    }
  }
}

/**
 * Writes the kernel's half of a KPTI pair: the user's entries with NX added, as Linux does so that a
 * forgotten switch faults (arch/x86/mm/pti.c), and all of the kernel.
 */
function writeKernelRoot(
  memory: SparseMemory,
  root: bigint,
  userRoot: bigint,
  kernelRoot: bigint,
): void {
  for (let index = 0n; index < TOP_ENTRIES; index++) {
    const offset = index * 8n;
    const user = memory.readU64(userRoot + offset);
    const isUserHalf = index < TOP_ENTRIES / 2n;
    const entry = isUserHalf
      ? (user === 0n ? 0n : user | NO_EXECUTE)
      : memory.readU64(kernelRoot + offset);
    memory.writeU64(root + offset, entry);
  }
}
