import { type NotPresentContent, swapContent, type SwapMark } from "../../translate/entry.ts";

/** `_PAGE_PROT_NONE` is the global bit of an entry that is not valid (arch/riscv/include/asm/pgtable-bits.h). */
const PROT_NONE = 1n << 5n;
const PPN_SHIFT = 10n;
const PPN_64 = (1n << 44n) - 1n;
/** MAX_PHYSMEM_BITS is 56 (arch/riscv/include/asm/sparsemem.h), and a page has 12 of them. */
const FRAME_BITS = 44;

/**
 * Where a swap entry keeps marks of the page: _PAGE_SWP_SOFT_DIRTY is X, _PAGE_SWP_UFFD_WP is U (both with
 * Svrsw60t59b, since 6.19), _PAGE_SWP_EXCLUSIVE is A (since 6.3).
 */
const MARKS: readonly (readonly [bit: bigint, mark: SwapMark])[] = [
  [1n << 3n, "soft-dirty"],
  [1n << 4n, "uffd-wp"],
  [1n << 6n, "exclusive"],
];

/**
 * Decodes an entry whose V is clear as Linux writes it since 6.3: the type of swap in bits 7 to 11, the
 * offset from bit 12 up (arch/riscv/include/asm/pgtable.h).
 */
export function riscvNotPresent(raw: bigint): NotPresentContent {
  if (raw === 0n) return { kind: "empty" };
  if (raw & PROT_NONE) return { kind: "protNone", frame: (raw >> PPN_SHIFT & PPN_64) << 12n };
  const marks = MARKS.filter(([bit]) => raw & bit).map(([, mark]) => mark);
  return swapContent(Number(raw >> 7n & 0x1fn), raw >> 12n, marks, FRAME_BITS);
}
