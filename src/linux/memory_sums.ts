import type { AreaPages } from "./area_pages.ts";
import type { MemoryArea } from "./memory_area.ts";

/** What `smaps_rollup` sums up of a process's areas, as far as its page tables tell. All count bytes. */
export interface MemorySums {
  /** The areas. */
  readonly sizeBytes: number;
  /** Rss: pages that are there; not those of hugetlbfs, of devices, and the page of zeros. */
  readonly rssBytes: number;
  /** Swap, but for shared memory that is swapped out, of which page tables say nothing. */
  readonly swapBytes: number;
  /** AnonHugePages. */
  readonly anonHugeBytes: number;
  /** ShmemPmdMapped and FilePmdMapped together. */
  readonly fileHugeBytes: number;
  /** Shared_Hugetlb and Private_Hugetlb together. */
  readonly hugetlbBytes: number;
}

/**
 * Sums up what the page tables say about the areas of a process.
 *
 * @param pages what they say of each area, in the order of the areas
 *
 * @example Usage
 * ```ts
 * import { sumAreaPages } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(sumAreaPages([], []).rssBytes, 0);
 * ```
 */
export function sumAreaPages(
  areas: readonly MemoryArea[],
  pages: readonly AreaPages[],
): MemorySums {
  const sums = {
    ...{ sizeBytes: 0, rssBytes: 0, swapBytes: 0 },
    ...{ anonHugeBytes: 0, fileHugeBytes: 0, hugetlbBytes: 0 },
  };
  for (const [i, { rssBytes, swappedBytes, hugeBytes, mappedBytes }] of pages.entries()) {
    const { start, end, kind } = areas[i]!;
    sums.sizeBytes += Number(end - start);
    sums.rssBytes += rssBytes;
    sums.swapBytes += swappedBytes;
    sums[kind === "file" ? "fileHugeBytes" : "anonHugeBytes"] += hugeBytes;
    if (kind !== "hugetlb") continue;
    for (const bytes of mappedBytes.values()) sums.hugetlbBytes += bytes;
  }
  return sums;
}
