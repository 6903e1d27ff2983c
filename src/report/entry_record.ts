import type { PageTableEntry } from "../translate/entry.ts";

/**
 * A page-table entry as plain data for JSON: where it stands and its value, by the names that
 * {@linkcode PageTableEntry} has; `reservedBits` only if any is set.
 */
export function entryRecord(entry: PageTableEntry): Record<string, unknown> {
  const { level, name, index, address, raw, reservedBits } = entry;
  return { level, name, index, address, raw, ...reservedBits !== 0n && { reservedBits } };
}
