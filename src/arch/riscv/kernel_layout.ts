import type { KernelLayout } from "../../translate/kernel_layout.ts";
import type { RiscvMode } from "./modes.ts";

// Linux maps its image into the last 2 GiB of a 64-bit address space, in every mode
// (Documentation/arch/riscv/vm-layout.rst). There is no page-table isolation: nothing is shared.
const IMAGE = { start: 0xffff_ffff_8000_0000n, lengthBytes: 2 ** 30 };

/** How Linux divides the address space of each mode: the upper half is the kernel's. */
export const RISCV_KERNEL_LAYOUTS: Readonly<Record<RiscvMode, KernelLayout>> = {
  Sv32: { start: 0xc000_0000n, sharedWithUser: [] },
  Sv39: { start: 0xffff_ffc0_0000_0000n, image: IMAGE, sharedWithUser: [] },
  Sv48: { start: 0xffff_8000_0000_0000n, image: IMAGE, sharedWithUser: [] },
  Sv57: { start: 0xff00_0000_0000_0000n, image: IMAGE, sharedWithUser: [] },
};
