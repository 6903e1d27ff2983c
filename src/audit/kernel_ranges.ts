import type { PagingModeName } from "../arch/x86/paging_context.ts";
import type { Mapping } from "../translate/mappings.ts";

/** Linux maps its vsyscall page for user mode, in the kernel's range (arch/x86/entry/vsyscall). */
export const VSYSCALL_PAGE = 0xffff_ffff_ff60_0000n;

/** Where the kernel's range starts: the upper half, or 3 GiB on 32-bit Linux (VMSPLIT_3G). */
export function kernelRangeStart(mode: PagingModeName): bigint {
  switch (mode) {
    case "4-level":
      return 0xffff_8000_0000_0000n;
    case "5-level":
      return 0xff00_0000_0000_0000n;
    default:
      return 0xc000_0000n;
  }
}

/** A part of the kernel's range. */
export interface Region {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last one. */
  readonly end: bigint;
  /** May pages of it be writable in the user's root? */
  readonly writable: boolean;
}

const GIB = 1n << 30n;

// What KPTI leaves in the user's root (arch/x86/mm/pti.c), at the addresses of
// Documentation/arch/x86/x86_64/mm.rst. The rest of the kernel's range moves with KASLR.
const KERNEL_IMAGE: Region = {
  start: 0xffff_ffff_8000_0000n,
  end: 0xffff_ffff_c000_0000n,
  writable: false,
};
/** Stacks, descriptor tables and TSS of each CPU. */
export const CPU_ENTRY_AREA: Region = {
  start: 0xffff_fe00_0000_0000n,
  end: 0xffff_fe80_0000_0000n,
  writable: true,
};
const ESPFIX: Region = {
  start: 0xffff_ff00_0000_0000n,
  end: 0xffff_ff80_0000_0000n,
  writable: true,
};
const FIXMAP: Region = {
  start: 0xffff_ffff_ff00_0000n,
  end: 0xffff_ffff_ffff_f000n,
  writable: false,
};
const LDT_REMAP: Partial<Record<PagingModeName, Region>> = {
  "4-level": {
    start: 0xffff_8800_0000_0000n,
    end: 0xffff_8800_0000_0000n + 512n * GIB,
    writable: true,
  },
  "5-level": {
    start: 0xff10_0000_0000_0000n,
    end: 0xff10_0000_0000_0000n + 256n * 1024n * GIB,
    writable: true,
  },
};

/** Says whether a run of the kernel's range may be in the user's root under KPTI. */
export function mayStayUnderKpti(run: Mapping, mode: PagingModeName): boolean {
  const end = run.address + BigInt(run.lengthBytes);
  const ldt = LDT_REMAP[mode];
  return [KERNEL_IMAGE, CPU_ENTRY_AREA, ESPFIX, FIXMAP, ...ldt ? [ldt] : []].some((region) =>
    region.start <= run.address && end <= region.end &&
    (region.writable || !run.effective.writable)
  );
}
