import { escapeText } from "../core/escape.ts";
import type { AreaPages } from "../linux/area_pages.ts";
import type { MemoryArea } from "../linux/memory_area.ts";
import type { MemorySums } from "../linux/memory_sums.ts";
import { formatSize } from "./size.ts";
import { PLAIN, type Style } from "./style.ts";

/** What a line tells of a memory area: that of the kernel's own list, and what the page tables say. */
export interface AreaOfLine extends Pick<MemoryArea, "start" | "end" | "permissions" | "name"> {
  /** What the page tables say about it; what is left out is none. */
  readonly pages: Pick<AreaPages, "mappedBytes"> & Partial<AreaPages>;
}

/** What is worth a word, if there is any of it; in capitals, what should not be. */
const REMARKS: readonly {
  readonly key: Exclude<keyof AreaPages, "mappedBytes">;
  readonly word: string;
  readonly bad?: true;
}[] = [
  { key: "untouchedBytes", word: "untouched" },
  { key: "swappedBytes", word: "swapped" },
  { key: "protNoneBytes", word: "PROT_NONE" },
  { key: "numaHintingBytes", word: "marked for NUMA balancing" },
  { key: "guardBytes", word: "guard" },
  { key: "uffdWriteProtectedBytes", word: "userfaultfd's marks" },
  { key: "poisonedBytes", word: "poisoned" },
  { key: "migrationBytes", word: "being moved" },
  { key: "hwpoisonBytes", word: "poisoned frames (hwpoison)" },
  { key: "deviceBytes", word: "in a device's memory" },
  { key: "specialBytes", word: "moved, poisoned or a device's" },
  { key: "readOnlyBytes", word: "write-protected" },
  { key: "supervisorBytes", word: "_PAGE_USER CLEARED", bad: true },
  { key: "tooWritableBytes", word: "WRITABLE PTE IN READ-ONLY VMA", bad: true },
  { key: "unknownBytes", word: "UNKNOWN", bad: true },
];

/**
 * Writes a memory area of a process as `/proc/PID/maps` does, and what its pages are.
 *
 * @example Usage
 * ```ts
 * import { areaLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const line = areaLine({
 *   start: 0x7f1250020000n,
 *   end: 0x7f1250024000n,
 *   permissions: "---p",
 *   name: "",
 *   pages: { mappedBytes: new Map(), protNoneBytes: 16384 },
 * });
 * assertEquals(line.replace(/ +/g, " "), "7f1250020000-7f1250024000 ---p PROT_NONE 16 KiB");
 * ```
 */
export function areaLine(area: AreaOfLine, style: Style = PLAIN): string {
  const { start, end, permissions, name, pages } = area;
  const hex = (address: bigint) => address.toString(16).padStart(8, "0");
  const range = `${hex(start)}-${hex(end)}`.padEnd(25);
  const mapped = [...pages.mappedBytes].map(([size, bytes]) =>
    size === 4096 ? formatSize(bytes) : `${formatSize(bytes)} in pages of ${formatSize(size)}`
  );
  const remarks = REMARKS.flatMap(({ key, word, bad }) => {
    const bytes = pages[key] ?? 0;
    if (bytes === 0) return [];
    const text = `${word} ${formatSize(bytes)}`;
    return bad ? style.bad(text) : text;
  });
  return `${range} ${escapeText(permissions)} ${escapeText(name).padEnd(24)} ${
    [...mapped, ...remarks].join(", ")
  }`;
}

/**
 * Writes what all areas of a process come to, by the names of `smaps`.
 *
 * @example Usage
 * ```ts
 * import { memorySumsLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const none = { anonHugeBytes: 0, fileHugeBytes: 0, hugetlbBytes: 0 };
 * assertEquals(
 *   memorySumsLine({ sizeBytes: 8192, rssBytes: 4096, swapBytes: 0, ...none }),
 *   "Size 8 KiB, Rss 4 KiB, Swap 0 bytes",
 * );
 * ```
 */
export function memorySumsLine(sums: MemorySums): string {
  const { sizeBytes, rssBytes, swapBytes, anonHugeBytes, fileHugeBytes, hugetlbBytes } = sums;
  const huge = [
    ["AnonHugePages", anonHugeBytes],
    ["ShmemPmdMapped and FilePmdMapped", fileHugeBytes],
    ["Hugetlb", hugetlbBytes],
  ] as const;
  const parts = [["Size", sizeBytes], ["Rss", rssBytes], ["Swap", swapBytes]] as const;
  return [...parts, ...huge.filter(([, bytes]) => bytes > 0)]
    .map(([name, bytes]) => `${name} ${formatSize(bytes)}`).join(", ");
}

/**
 * A memory area of a process and what its page tables say about it, as plain data for JSON: one object with the
 * fields of both.
 *
 * @example Usage
 * ```ts
 * import type { AreaPages, MemoryArea } from "@pagewalk/pagewalk/linux";
 * import { areaRecord, toJson } from "@pagewalk/pagewalk/report";
 *
 * function print(area: MemoryArea, pages: AreaPages) {
 *   console.log(toJson(areaRecord(area, pages)));
 * }
 * ```
 */
export function areaRecord(area: MemoryArea, pages: AreaPages): Record<string, unknown> {
  return { ...area, ...pages, mappedBytes: Object.fromEntries(pages.mappedBytes) };
}
