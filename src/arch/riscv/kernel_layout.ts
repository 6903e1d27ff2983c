import type { KernelLayout } from "../../translate/kernel_layout.ts";
import type { RiscvMode } from "./modes.ts";

/** How Linux divides the address space of each mode: the upper half is the kernel's. */
export const RISCV_KERNEL_LAYOUTS: Readonly<Record<RiscvMode, KernelLayout>> = {
  Sv32: { start: 0xc000_0000n, sharedWithUser: [] },
  Sv39: { start: 0xffff_ffc0_0000_0000n, sharedWithUser: [] },
  Sv48: { start: 0xffff_8000_0000_0000n, sharedWithUser: [] },
  Sv57: { start: 0xff00_0000_0000_0000n, sharedWithUser: [] },
};
