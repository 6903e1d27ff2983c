const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/**
 * Writes a size in bytes in the largest unit that divides it: `4 KiB`, `2 MiB`, `1 GiB`.
 *
 * @example Usage
 * ```ts
 * import { formatSize } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatSize(2097152), "2 MiB");
 * ```
 */
export function formatSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value} ${UNITS[unit]}`;
}
