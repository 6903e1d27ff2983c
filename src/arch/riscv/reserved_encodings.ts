import type { PageTableEntry } from "../../translate/entry.ts";

const R = 2n;
const W = 4n;
const X = 8n;
/** The bits that make an entry a page. */
export const ANY_RIGHT = R | W | X;
const PBMT = 3n << 61n;
const N = 1n << 63n;
const SOFTWARE_HIGH = 3n << 59n;
const POINTER_RESERVED = 0xd0n; // U, A, D
const PPN_SHIFT = 10n;
/** PPN bits 3-0 of a Svnapot entry: 64 KiB is the only size there is. */
const NAPOT_64K = 8n;
/** The size of a Svnapot page is 2^this. */
const NAPOT_SHIFT = 16;

/**
 * What an entry says beside its fields: the bits of encodings that are reserved, so that the walk ends
 * there in a page fault, and the size and frame of a Svnapot page.
 *
 * @param shift an entry of this level covers 2^shift bytes
 */
export function refineEntry(entry: PageTableEntry, shift: number): PageTableEntry {
  if (entry.kind !== "page") return entry;
  const reservedBits = entry.reservedBits | reservedEncoding(entry, shift);
  if (reservedBits !== 0n) return { ...entry, reservedBits };
  if (!entry.flags.napot) return entry;
  const pageBytes = 1n << BigInt(NAPOT_SHIFT);
  return { ...entry, frame: entry.frame & ~(pageBytes - 1n), pageShift: NAPOT_SHIFT };
}

function reservedEncoding({ raw, level, flags }: PageTableEntry, shift: number): bigint {
  // Only the last level decodes these as pages: a pointer to a table has nowhere to point.
  if ((raw & ANY_RIGHT) === 0n) return ANY_RIGHT;
  if (flags.writable && !flags.readable) return W;
  if ((raw & PBMT) === PBMT) return PBMT;
  if (flags.napot && (level !== 0 || (raw >> PPN_SHIFT & 0xfn) !== NAPOT_64K)) return N;
  const below = ((1n << BigInt(shift - 12)) - 1n) << PPN_SHIFT;
  return raw & below;
}

/** Why the bits that an entry sets are reserved, in a few words each. */
export function riscvReservedCauses(
  { reservedBits }: Pick<PageTableEntry, "reservedBits">,
): string[] {
  const causes: string[] = [];
  const left = (mask: bigint, text: string) => {
    if (reservedBits & mask) causes.push(text);
  };
  if ((reservedBits & ANY_RIGHT) === ANY_RIGHT) {
    causes.push("none of R, W and X, as a pointer to a table, at the last level");
  } else left(W, "W without R");
  left(POINTER_RESERVED, "U, A or D, which a pointer to a table must leave clear");
  left(((1n << 44n) - 1n) << PPN_SHIFT, "an address that is not a multiple of the page's size");
  left(0x1fn << 54n, "bits that its format reserves");
  left(SOFTWARE_HIGH, "bits 60 or 59 (which need Svrsw60t59b)");
  left(PBMT, "a memory type (PBMT) that is reserved or needs Svpbmt");
  left(N, "N, but not a Svnapot entry of 64 KiB");
  return causes;
}
