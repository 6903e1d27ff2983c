import type { EntryMarker, NotPresentContent, SwapMark } from "../translate/entry.ts";

/**
 * The lowest type that may be none of swap but special: of 32 types the last are for device memory (4 at
 * most), migration (3), poison and markers (include/linux/swap.h: MAX_SWAPFILES). Nobody has 23 swap
 * devices.
 */
const FIRST_SPECIAL = 23;
/** Markers have the last type, since 5.19. No device's or moving page is among the first 8 frames. */
const MARKER = 31;
/** PTE_MARKER_UFFD_WP, PTE_MARKER_POISONED, PTE_MARKER_GUARD (include/linux/swapops.h), bit 0 first. */
const MARKERS: readonly EntryMarker[] = ["uffd-wp", "poisoned", "guard"];

/**
 * What the type and the offset of one of Linux's swap entries say, which are the same numbers on every
 * architecture.
 *
 * @param marks those of the page that the entry keeps
 * @param frameBits SWP_PFN_BITS: above a frame's number an entry keeps whether the page was young and
 * dirty (since 6.0)
 */
export function swapContent(
  type: number,
  offset: bigint,
  marks: readonly SwapMark[],
  frameBits: number,
): NotPresentContent {
  if (type === MARKER && offset > 0n && offset < 1n << BigInt(MARKERS.length)) {
    return { kind: "marker", markers: setOf(MARKERS, offset) };
  }
  if (type >= FIRST_SPECIAL) {
    return { kind: "special", type, frame: BigInt.asUintN(frameBits, offset) << 12n };
  }
  return { kind: "swap", type, offset, ...marks.length > 0 && { marks } };
}

/** The names whose bits are set, bit 0 first. */
export function setOf<T>(names: readonly T[], value: bigint): T[] {
  return names.filter((_, i) => value >> BigInt(i) & 1n);
}
