import type { NotPresentContent } from "../../translate/entry.ts";
import type { PagingModeName } from "./paging_state.ts";
import { PAGING_MODES } from "./modes.ts";

// _PAGE_PROTNONE is the global bit of an entry that is not present
// (arch/x86/include/asm/pgtable_types.h).
const PROT_NONE = 1n << 8n;
const FRAME_64 = 0x000f_ffff_ffff_f000n;
const FRAME_32 = 0xffff_f000n;

/**
 * Decodes an entry whose present bit is clear as Linux writes it. On 64-bit and PAE kernels since
 * 4.18 the frame and the swap offset are stored inverted, against L1TF (pgtable-invert.h,
 * pgtable_64.h); two-level kernels store them plainly (pgtable-2level.h).
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
export function decodeNotPresent(raw: bigint, mode: PagingModeName): NotPresentContent {
  if (raw === 0n) return { kind: "empty" };
  const wide = PAGING_MODES[mode].entryBytes === 8;
  if (raw & PROT_NONE) {
    return { kind: "protNone", frame: wide ? ~raw & FRAME_64 : raw & FRAME_32 };
  }
  if (!wide) return { kind: "swap", type: Number((raw >> 1n) & 0x1fn), offset: raw >> 9n };
  const offset = (BigInt.asUintN(64, ~raw << 5n)) >> 14n;
  return { kind: "swap", type: Number(raw >> 59n), offset };
}
