import type { NotPresentContent } from "../../translate/entry.ts";

/** `_PAGE_PROT_NONE` is the global bit of an entry that is not valid (arch/riscv/include/asm/pgtable-bits.h). */
const PROT_NONE = 1n << 5n;
const PPN_SHIFT = 10n;
const PPN_64 = (1n << 44n) - 1n;

/**
 * Decodes an entry whose V is clear as Linux writes it since 6.3: the type of swap in bits 7 to 11, the
 * offset from bit 12 up (arch/riscv/include/asm/pgtable.h).
 */
export function riscvNotPresent(raw: bigint): NotPresentContent {
  if (raw === 0n) return { kind: "empty" };
  if (raw & PROT_NONE) return { kind: "protNone", frame: (raw >> PPN_SHIFT & PPN_64) << 12n };
  return { kind: "swap", type: Number(raw >> 7n & 0x1fn), offset: raw >> 12n };
}
