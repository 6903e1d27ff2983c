import { formatAddress } from "../core/address.ts";
import type { EntryMarker, NotPresentContent, SwapMark } from "./entry.ts";

/**
 * Says in words what a kernel keeps in an entry that is not present.
 *
 * @param address how an address or an offset is written
 *
 * @example Usage
 * ```ts
 * import { describeNotPresent } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(describeNotPresent({ kind: "marker", markers: ["guard"] }), "no page, a marker: guard");
 * ```
 */
export function describeNotPresent(
  content: NotPresentContent,
  address: (value: bigint) => string = formatAddress,
): string {
  switch (content.kind) {
    case "empty":
      return "empty: never touched, or unmapped";
    case "protNone":
      return `PROT_NONE or marked for NUMA balancing, keeps frame ${address(content.frame)}`;
    case "swap": {
      const marks = content.marks ? ` (${content.marks.join(", ")})` : "";
      return `swapped out: type ${content.type}, offset ${address(content.offset)}${marks}`;
    }
    case "marker":
      return `no page, a marker: ${content.markers.join(", ")}`;
    case "special":
      return `special type ${content.type}: a page being moved, poisoned, or in a device's memory, ` +
        `frame ${address(content.frame)}`;
  }
}

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
