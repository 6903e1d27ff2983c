import type { DirectMap, KernelLayout } from "../../translate/kernel_layout.ts";
import type { RiscvMode } from "./modes.ts";

/**
 * KERNEL_LINK_ADDR (arch/riscv/include/asm/pgtable.h): the image is linked at the last 2 GiB, and KASLR
 * moves it in the first GiB of these (arch/riscv/mm/init.c, setup_vm).
 */
const IMAGE = { start: 0xffff_ffff_8000_0000n, lengthBytes: 2 ** 30 };

/**
 * The kernel tells where it maps RAM (arch/riscv/kernel/vmcore_info.c): by where RAM begins, which a
 * board chooses, and not physical address 0. The memory for modules and vmalloc ends right below.
 */
function directMap(
  virtual: bigint,
  physical: bigint,
  numbers: ReadonlyMap<string, bigint>,
): DirectMap | null {
  const [start, ram] = ["PAGE_OFFSET", "phys_ram_base"].map((name) => numbers.get(name));
  if (start === undefined || ram === undefined || start - ram !== virtual - physical) return null;
  return { start, end: IMAGE.start, base: start - ram };
}

const LINUX = { image: IMAGE, directMap, sharedWithUser: [] };

/** How Linux divides the address space of each mode: the upper half is the kernel's. */
export const RISCV_KERNEL_LAYOUTS: Readonly<Record<RiscvMode, KernelLayout>> = {
  Sv32: { start: 0xc000_0000n, sharedWithUser: [] },
  Sv39: { start: 0xffff_ffc0_0000_0000n, ...LINUX },
  Sv48: { start: 0xffff_8000_0000_0000n, ...LINUX },
  Sv57: { start: 0xff00_0000_0000_0000n, ...LINUX },
};
