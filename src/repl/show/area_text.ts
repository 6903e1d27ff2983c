import type { AreaPages } from "../../linux/area_pages.ts";
import type { MemoryArea } from "../../linux/memory_areas.ts";
import { formatSize } from "../../report/size.ts";
import type { Style } from "../../report/style.ts";

/** A memory area of a process, with what the page tables say about it. */
export interface Area extends MemoryArea {
  readonly pages: AreaPages;
}

/** What is worth a word, if there is any of it; in capitals, what should not be. */
const REMARKS: readonly (readonly [key: Exclude<keyof AreaPages, "mappedBytes">, word: string])[] =
  [
    ["untouchedBytes", "untouched"],
    ["swappedBytes", "swapped"],
    ["protNoneBytes", "PROT_NONE"],
    ["readOnlyBytes", "write-protected"],
    ["supervisorBytes", "_PAGE_USER CLEARED"],
    ["tooWritableBytes", "WRITABLE IN SPITE OF THE AREA"],
    ["unknownBytes", "UNKNOWN"],
  ];

/** Writes an area as `/proc/PID/maps` does, and what its pages are. */
export function areaLine({ start, end, permissions, name, pages }: Area, style: Style): string {
  const hex = (address: bigint) => address.toString(16).padStart(8, "0");
  const range = `${hex(start)}-${hex(end)}`.padEnd(25);
  const mapped = [...pages.mappedBytes].map(([size, bytes]) =>
    size === 4096 ? formatSize(bytes) : `${formatSize(bytes)} in pages of ${formatSize(size)}`
  );
  const remarks = REMARKS.filter(([key]) => pages[key] > 0).map(([key, word]) => {
    const text = `${word} ${formatSize(pages[key])}`;
    return /^[_A-Z]+ [A-Z]/.test(word) || word === "UNKNOWN" ? style.bad(text) : text;
  });
  return `${range} ${permissions} ${name.padEnd(24)} ${[...mapped, ...remarks].join(", ")}`;
}
