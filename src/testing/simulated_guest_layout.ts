import type { EntryRights } from "./expected_translation.ts";
import type { PageSize, PageTableMode } from "./page_table_builder.ts";

/**
 * The places in the simulated guest that are worth looking at. All but the kernel's belong to the
 * process `target`; `null` stands for what the paging mode does not have. The values of the 64-bit
 * modes are given; the others keep their order below 3 GiB.
 */
export interface SimulatedAddresses {
  /** `0x7f1234567000`: the first page of the DMA buffer. U is clear in the leaf of pages 0 to 15. */
  cleared: bigint;
  /** `0x7f1234577000`: page 16 of the DMA buffer, the first of 240 whose leaf still has U set. */
  stillSet: bigint;
  /** The DMA buffer: 256 pages from `cleared` on, which cross from one page table into the next. */
  dmaBuffer: {
    /** Its first byte. */
    start: bigint;
    /** Its length, in bytes. */
    lengthBytes: number;
    /** How many pages at its start have U clear. */
    clearedPages: number;
  };
  /** `0x7f1241000000`: the leaf has U, but the PD entry above it has not. */
  parentCleared: bigint;
  /** `0x7f5000000000`: the leaf has U, but the PDPT entry two levels above has not. */
  grandparentCleared: bigint | null;
  /** `0x7f2000000000`: user, read-only, no-execute. */
  readOnly: bigint;
  /** `0x7f2000001000`: user, read-only, executable. */
  executable: bigint;
  /** `0x7f2000002000`: user, writable, no-execute where the mode has NX. */
  writable: bigint;
  /** `0x7f2000003000`: reserved but never touched, so that its entry is 0. */
  neverTouched: bigint;
  /** `0x7f2000004000`: made inaccessible with PROT_NONE, its frame kept. */
  protNone: bigint;
  /** `0x7f2000005000`: swapped out, to offset 0x1234 of swap area 1. */
  swapped: bigint;
  /** `0x7f2000006000`: under protection key 5. */
  protectionKey: bigint | null;
  /**
   * `0x7f2000007000`: bit 51 of the entry is set, above the CPU's 40 address bits. It faults, unless
   * the guest were a TDX one, where this bit marks a shared page.
   */
  reservedBit: bigint | null;
  /** `0x7f2000008000`: a device's registers, uncached, as VFIO maps a BAR. */
  deviceMemory: bigint;
  /** `0x7f3000000000`: two large pages of 2 MiB (4 MiB in 32-bit paging), the second with PAT set. */
  largePage: bigint;
  /** `0x7f4000000000`: a page of 1 GiB. */
  hugePage: bigint | null;
  /** `0x7f6000000000`: the table that should map it lies at 0xd0000000, outside RAM. */
  corruptTable: bigint;
  /** `0x100000000000`: nothing is mapped near it, so that the walk ends in an upper table. */
  unmapped: bigint;
  /** `0x800000000000` (bit 56 with 5 levels): not canonical. */
  nonCanonical: bigint | null;
  /** `0x400000`: the program's code, in every process but `idle`. */
  programText: bigint;
  /** `0x7ffc7b578000`: its stack. */
  stack: bigint;
  /** `0xffffffff81000000`: the kernel's code in large pages, global, without U. */
  kernelText: bigint;
  /** `0xffff888000000000` (`0xff11…` with 5 levels): the kernel's map of physical memory. */
  directMap: bigint;
}

/** A run of pages of one size with the same rights. */
export interface PageRun {
  /** The virtual address of the first page. */
  at: bigint;
  /** The number of pages. */
  pages: number;
  /** Their size. */
  size: PageSize;
  /** Their leaves' rights. */
  rights: EntryRights;
  /**
   * Where they lie: shuffled frames, one frame after the other from an address, or, for DMA,
   * shuffled frames above 4 GiB where the mode reaches them.
   */
  frames: "shuffled" | "dma" | bigint;
}

/** Where the device's registers are: VGA's, in the guest's physical addresses. */
export const DEVICE_FRAME = 0xfebf_0000n;
/** Where the corrupt entry points: into the hole below 4 GiB, where nothing is. */
export const CORRUPT_TABLE = 0xd000_0000n;
/** How many pages of the DMA buffer have U clear. */
export const CLEARED_PAGES = 16;
/** How many pages the DMA buffer has. */
export const DMA_PAGES = 256;
/** Where the kernel's image lies in physical memory. */
export const KERNEL_FRAME = 0x100_0000n;
/** The frame of the 1 GiB page. */
export const HUGE_FRAME = 0x4000_0000n;

/** The addresses of a mode; paging off has those of 32-bit paging. */
export function addressesOf(mode: PageTableMode | "none"): SimulatedAddresses {
  return mode === "4-level" || mode === "5-level" ? wideAddresses(mode) : narrowAddresses(mode);
}

function wideAddresses(mode: "4-level" | "5-level"): SimulatedAddresses {
  return {
    ...places(0x7f12_3456_7000n, 0x7f20_0000_0000n),
    parentCleared: 0x7f12_4100_0000n,
    grandparentCleared: 0x7f50_0000_0000n,
    protectionKey: 0x7f20_0000_6000n,
    reservedBit: 0x7f20_0000_7000n,
    largePage: 0x7f30_0000_0000n,
    hugePage: 0x7f40_0000_0000n,
    corruptTable: 0x7f60_0000_0000n,
    unmapped: 0x1000_0000_0000n,
    nonCanonical: mode === "5-level" ? 1n << 56n : 1n << 47n,
    programText: 0x40_0000n,
    stack: 0x7ffc_7b57_8000n,
    // Linux, Documentation/arch/x86/x86_64/mm.rst.
    kernelText: 0xffff_ffff_8100_0000n,
    directMap: mode === "5-level" ? 0xff11_0000_0000_0000n : 0xffff_8880_0000_0000n,
  };
}

function narrowAddresses(mode: "pae" | "32-bit" | "none"): SimulatedAddresses {
  return {
    ...places(0x7456_7000n, 0x8000_0000n),
    parentCleared: 0x7500_0000n,
    grandparentCleared: null,
    protectionKey: null,
    reservedBit: mode === "pae" ? 0x8000_7000n : null,
    largePage: 0x9000_0000n,
    hugePage: null,
    corruptTable: 0xa000_0000n,
    unmapped: 0x2000_0000n,
    nonCanonical: null,
    programText: 0x40_0000n,
    stack: 0xbfc7_8000n,
    kernelText: 0xc100_0000n,
    directMap: 0xc000_0000n,
  };
}

function places(cleared: bigint, singlePages: bigint) {
  return {
    cleared,
    stillSet: cleared + BigInt(CLEARED_PAGES) * 0x1000n,
    dmaBuffer: {
      start: cleared,
      lengthBytes: DMA_PAGES * 0x1000,
      clearedPages: CLEARED_PAGES,
    },
    readOnly: singlePages,
    executable: singlePages + 0x1000n,
    writable: singlePages + 0x2000n,
    neverTouched: singlePages + 0x3000n,
    protNone: singlePages + 0x4000n,
    swapped: singlePages + 0x5000n,
    deviceMemory: singlePages + 0x8000n,
  };
}

/** What a program of this mode looks like: code, data and stack. */
export function programRuns(mode: PageTableMode, addresses: SimulatedAddresses): PageRun[] {
  const { text, data } = userRights(mode);
  const { programText, stack } = addresses;
  return [
    { at: programText, pages: 16, size: "4K", rights: text, frames: "shuffled" },
    { at: programText + 0x1_0000n, pages: 8, size: "4K", rights: data, frames: "shuffled" },
    { at: stack, pages: 33, size: "4K", rights: data, frames: "shuffled" },
  ];
}

/** What the process `target` has besides its program. */
export function targetRuns(mode: PageTableMode, addresses: SimulatedAddresses): PageRun[] {
  const { text, data } = userRights(mode);
  const onePage = (
    at: bigint | null,
    rights: EntryRights,
    frames: PageRun["frames"] = "shuffled",
  ) => at === null ? [] : [{ at, pages: 1, size: "4K", rights, frames } as const];
  const cleared = CLEARED_PAGES;
  return [
    {
      at: addresses.cleared,
      pages: cleared,
      size: "4K",
      rights: { ...data, user: false },
      frames: "dma",
    },
    { at: addresses.stillSet, pages: DMA_PAGES - cleared, size: "4K", rights: data, frames: "dma" },
    ...onePage(addresses.parentCleared, data),
    ...onePage(addresses.grandparentCleared, data),
    ...onePage(addresses.readOnly, { ...data, writable: false, dirty: false }),
    ...onePage(addresses.executable, text),
    ...onePage(addresses.writable, data),
    ...onePage(addresses.protectionKey, { ...data, protectionKey: 5 }),
    ...onePage(addresses.reservedBit, data),
    ...onePage(addresses.deviceMemory, { ...data, dirty: false, pcd: true }, DEVICE_FRAME),
    ...largeRuns(mode, addresses, data),
  ];
}

function largeRuns(
  mode: PageTableMode,
  { largePage, hugePage }: SimulatedAddresses,
  data: EntryRights,
): PageRun[] {
  const size = mode === "32-bit" ? "4M" : "2M";
  const step = mode === "32-bit" ? 0x40_0000n : 0x20_0000n;
  // In 32-bit paging the second page lies above 4 GiB, which only PSE-36 reaches (SDM table 4-4).
  const secondFrame = mode === "32-bit" ? 0x1_0040_0000n : 0x2000_0000n + step;
  const runs: PageRun[] = [
    { at: largePage, pages: 1, size, rights: data, frames: 0x2000_0000n },
    { at: largePage + step, pages: 1, size, rights: { ...data, pat: true }, frames: secondFrame },
  ];
  if (hugePage !== null) {
    runs.push({ at: hugePage, pages: 1, size: "1G", rights: data, frames: HUGE_FRAME });
  }
  return runs;
}

/** The kernel's part, which every process shares. */
export function kernelRuns(mode: PageTableMode, addresses: SimulatedAddresses): PageRun[] {
  const { kernelText, directMap } = addresses;
  const noExecute = mode === "32-bit" ? {} : { noExecute: true };
  const kernel = { user: false, accessed: true, global: true };
  const data = { ...kernel, writable: true, dirty: true };
  const [size, pageBytes] = mode === "32-bit"
    ? ["4M", 4n << 20n] as const
    : ["2M", 2n << 20n] as const;
  const bytes = (runBytes: bigint) => Number(runBytes / pageBytes);
  if (mode === "pae" || mode === "32-bit") {
    // The image is part of the map of physical memory, at the same offset.
    const image = kernelText - directMap;
    const after = image + 0x80_0000n;
    return [
      { at: directMap, pages: bytes(image), size, rights: { ...data, ...noExecute }, frames: 0n },
      { at: kernelText, pages: bytes(0x80_0000n), size, rights: kernel, frames: image },
      {
        at: directMap + after,
        pages: bytes(0x400_0000n - after),
        size,
        rights: { ...data, ...noExecute },
        frames: after,
      },
    ];
  }
  return [
    { at: directMap, pages: 32, size, rights: { ...data, ...noExecute }, frames: 0n },
    { at: kernelText, pages: 4, size, rights: kernel, frames: KERNEL_FRAME },
    {
      at: kernelText + 0x80_0000n,
      pages: 2,
      size,
      rights: { ...kernel, ...noExecute },
      frames: KERNEL_FRAME + 0x80_0000n,
    },
    {
      at: kernelText + 0xc0_0000n,
      pages: 2,
      size,
      rights: { ...data, ...noExecute },
      frames: KERNEL_FRAME + 0xc0_0000n,
    },
    ...entryAreaRuns(false),
  ];
}

/**
 * Linux's cpu_entry_area, with the IDT and the trampolines: all of the kernel that the user's half
 * of a KPTI pair maps.
 */
export function entryAreaRuns(isolated: boolean): PageRun[] {
  const rights = { user: false, accessed: true, dirty: true, global: !isolated };
  const at = 0xffff_fe00_0000_0000n;
  return [
    { at, pages: 1, size: "4K", rights: { ...rights, noExecute: true }, frames: 0x282_7000n },
    { at: at + 0x1000n, pages: 2, size: "4K", rights, frames: 0x282_8000n },
  ];
}

function userRights(mode: PageTableMode): { text: EntryRights; data: EntryRights } {
  const text: EntryRights = { user: true, accessed: true };
  const data: EntryRights = { user: true, writable: true, accessed: true, dirty: true };
  return { text, data: mode === "32-bit" ? data : { ...data, noExecute: true } };
}
