import type {
  DirectMap,
  KernelArea,
  KernelLayout,
  KernelRegion,
} from "../../translate/kernel_layout.ts";
import type { PagingModeName } from "./paging_state.ts";

const GIB = 1n << 30n;

// What kernel page-table isolation leaves in the user's root (arch/x86/mm/pti.c), at the addresses of
// Documentation/arch/x86/x86_64/mm.rst. The rest of the kernel's range moves with KASLR.
const KERNEL_IMAGE: KernelRegion = {
  start: 0xffff_ffff_8000_0000n,
  end: 0xffff_ffff_c000_0000n,
  writable: false,
};
/** Stacks, descriptor tables and TSS of each CPU. */
const CPU_ENTRY_AREA: KernelRegion = {
  start: 0xffff_fe00_0000_0000n,
  end: 0xffff_fe80_0000_0000n,
  writable: true,
};
const ESPFIX: KernelRegion = {
  start: 0xffff_ff00_0000_0000n,
  end: 0xffff_ff80_0000_0000n,
  writable: true,
};
const FIXMAP: KernelRegion = {
  start: 0xffff_ffff_ff00_0000n,
  end: 0xffff_ffff_ffff_f000n,
  writable: false,
};
const SHARED = [KERNEL_IMAGE, ESPFIX, FIXMAP];

/** As Documentation/arch/x86/x86_64/mm.rst names them; KASLR moves those that variables tell. */
const AREAS: readonly KernelArea[] = [
  { name: "direct map", start: "*page_offset_base", end: "*vmalloc_base" },
  { name: "vmalloc", start: "*vmalloc_base", end: "*vmemmap_base" },
  { name: "struct pages", start: "*vmemmap_base", end: CPU_ENTRY_AREA.start },
  { name: "CPU entry areas", start: CPU_ENTRY_AREA.start, end: CPU_ENTRY_AREA.end },
  { name: "espfix stacks", start: ESPFIX.start, end: ESPFIX.end },
  { name: "kernel image", start: "_text", end: "_end" },
  { name: "modules", start: KERNEL_IMAGE.end, end: FIXMAP.start },
  { name: "fixmap", start: FIXMAP.start, end: FIXMAP.end },
];

const PHYSICAL_BITS = {
  variable: "boot_cpu_data",
  struct: "cpuinfo_x86",
  member: "x86_phys_bits",
  bounds: [32, 52],
} as const;

const LONG = {
  physicalBits: PHYSICAL_BITS,
  areas: AREAS,
  // The kernel's text mapping. KASLR moves the image in the first GiB; modules follow after that.
  image: { start: KERNEL_IMAGE.start, lengthBytes: 2 ** 30 },
  // Linux maps its vsyscall page for user mode, in the kernel's range (arch/x86/entry/vsyscall).
  userPage: { name: "vsyscall", address: 0xffff_ffff_ff60_0000n },
  entryArea: CPU_ENTRY_AREA,
};

/** 3 GiB: VMSPLIT_3G, the default of 32-bit Linux. */
const SHORT: KernelLayout = {
  start: 0xc000_0000n,
  physicalBits: PHYSICAL_BITS,
  sharedWithUser: [],
};

/** The kernel puts the direct map at a multiple of 1 GiB (arch/x86/mm/kaslr.c). */
function directMapOf(lengthBytes: bigint): NonNullable<KernelLayout["directMap"]> {
  return (virtual, physical): DirectMap | null => {
    const base = virtual - physical;
    if (base % GIB !== 0n || virtual >= KERNEL_IMAGE.start || !(base >> 63n)) return null;
    return { start: base, end: base + lengthBytes, base };
  };
}

function ldtRemap(start: bigint, lengthBytes: bigint): KernelRegion {
  return { start, end: start + lengthBytes, writable: true };
}

/** How Linux divides the address space of each paging mode. */
export const KERNEL_LAYOUTS: Readonly<Record<PagingModeName, KernelLayout>> = {
  "none": SHORT,
  "32-bit": SHORT,
  "pae": SHORT,
  "4-level": {
    ...LONG,
    start: 0xffff_8000_0000_0000n,
    directMap: directMapOf(1n << 46n),
    frameTable: 0xffff_ea00_0000_0000n,
    sharedWithUser: [...SHARED, ldtRemap(0xffff_8800_0000_0000n, 512n * GIB)],
  },
  "5-level": {
    ...LONG,
    start: 0xff00_0000_0000_0000n,
    directMap: directMapOf(1n << 55n),
    frameTable: 0xffd4_0000_0000_0000n,
    sharedWithUser: [...SHARED, ldtRemap(0xff10_0000_0000_0000n, 256n * 1024n * GIB)],
  },
};
