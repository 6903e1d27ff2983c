import { CR0, CR4, EFER } from "./control_bits.ts";
import type { PagingModeName } from "./paging_state.ts";
import type { CpuRegisters } from "./registers.ts";

const NOTHING = { cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n };
const PAGING = { ...NOTHING, cr0: CR0.PG | CR0.WP };

const ASSUMED: Record<PagingModeName, Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer">> = {
  "none": NOTHING,
  "32-bit": { ...PAGING, cr4: CR4.PSE },
  "pae": { ...PAGING, cr4: CR4.PAE, efer: EFER.NXE },
  "4-level": { ...PAGING, cr4: CR4.PAE, efer: EFER.LMA | EFER.NXE },
  "5-level": { ...PAGING, cr4: CR4.PAE | CR4.LA57, efer: EFER.LMA | EFER.NXE },
};

/**
 * The control registers of a vCPU of which nothing is known but its paging mode: those that every
 * kernel of today sets (write protection, large pages, NX), and no more. CR3 is 0.
 */
export function assumedRegisters(
  mode: PagingModeName,
): Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer"> {
  return ASSUMED[mode];
}
