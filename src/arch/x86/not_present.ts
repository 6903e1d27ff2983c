import {
  type NotPresentContent,
  setOf,
  swapContent,
  type SwapMark,
} from "../../translate/entry.ts";
import type { PagingModeName } from "./paging_state.ts";
import { PAGING_MODES } from "./modes.ts";

// _PAGE_PROTNONE is the global bit of an entry that is not present
// (arch/x86/include/asm/pgtable_types.h).
const PROT_NONE = 1n << 8n;
const FRAME_64 = 0x000f_ffff_ffff_f000n;
const FRAME_32 = 0xffff_f000n;

/** Bits 1, 2 and 3 of a swap entry (arch/x86/include/asm/pgtable_64.h). */
const MARKS: readonly SwapMark[] = ["soft-dirty", "uffd-wp", "exclusive"];
/** SWP_PFN_BITS: above a frame's number an entry keeps whether the page was young and dirty (since 6.0). */
const PFN_BITS: Partial<Record<PagingModeName, number>> = { "4-level": 34, "5-level": 40 };

/**
 * Decodes an entry whose present bit is clear as Linux writes it. On 64-bit and PAE kernels since
 * 4.18 the frame and the swap offset are stored inverted, against L1TF (pgtable-invert.h,
 * pgtable_64.h); two-level kernels store them plainly (pgtable-2level.h).
 *
 * @param level of the table that has the entry, 1 being the PT: a large page's frame has fewer bits
 *
 * @example Usage
 * ```ts
 * import { decodeNotPresent } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeNotPresent(0n, "4-level"), { kind: "empty" });
 * assertEquals(decodeNotPresent(0x000f_ffff_ffff_e120n, "4-level"), { kind: "protNone", frame: 0x1000n });
 * ```
 */
export function decodeNotPresent(
  raw: bigint,
  mode: PagingModeName,
  level = 1,
): NotPresentContent {
  if (raw === 0n) return { kind: "empty" };
  const wide = PAGING_MODES[mode].entryBytes === 8;
  if (raw & PROT_NONE) {
    // Only these are inverted: flip_protnone_guard(), PHYSICAL_PMD_PAGE_MASK.
    const shift = PAGING_MODES[mode].levels.find((each) => each.level === level)?.shift ?? 12;
    const bits = (wide ? FRAME_64 : FRAME_32) >> BigInt(shift) << BigInt(shift);
    return { kind: "protNone", frame: (wide ? ~raw : raw) & bits };
  }
  const type = Number(wide ? raw >> 59n : raw >> 1n & 0x1fn);
  const offset = wide ? BigInt.asUintN(64, ~raw << 5n) >> 14n : raw >> 9n;
  // Of 32-bit kernels these bits mean other things.
  const marks = mode in PFN_BITS ? setOf(MARKS, raw >> 1n) : [];
  return swapContent(type, offset, marks, PFN_BITS[mode] ?? 64);
}
