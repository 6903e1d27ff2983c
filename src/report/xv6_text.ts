import { formatAddress } from "../core/address.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import { describeNoTables } from "../translate/no_tables.ts";
import type { Walk } from "../translate/walk.ts";

/**
 * Writes an entry as the page-table lab of xv6's course prints it: ` ..` for each level, the index, the
 * entry and the address in it.
 *
 * @param depth how many tables lead to it: 0 in the top one
 *
 * @example Usage
 * ```ts
 * import { xv6EntryLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   xv6EntryLine({ index: 0, raw: 0x21fd_a001n, frame: 0x87f6_8000n }, 0),
 *   " ..0: pte 0x0000000021fda001 pa 0x0000000087f68000",
 * );
 * ```
 */
export function xv6EntryLine(
  { index, raw, frame }: Pick<PageTableEntry, "index" | "raw" | "frame">,
  depth: number,
): string {
  return `${" ..".repeat(depth + 1)}${index}: pte ${pointer(raw)} pa ${pointer(frame)}`;
}

/**
 * Writes a walk in the form of xv6's course: the top table, then the entry of each level.
 *
 * @example Usage
 * ```ts
 * import { riscvRegime, walk } from "@pagewalk/pagewalk";
 * import { xv6WalkText } from "@pagewalk/pagewalk/report";
 * import { ramRange, RiscvPageTables, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
 * const { root } = new RiscvPageTables("Sv39", memory, 0x8010_0000n);
 * assertEquals(
 *   xv6WalkText(await walk(memory, riscvRegime("Sv39", root), 0x1000n)),
 *   "page table 0x0000000080100000\n ..0: pte 0x0000000000000000 pa 0x0000000000000000",
 * );
 * ```
 */
export function xv6WalkText(walk: Walk): string {
  // What a root register holds then is no table of this guest's.
  if (walk.outcome === "noTables") return `no page table: ${describeNoTables(walk.why)}`;
  const lines = walk.steps.map((step, depth) => xv6EntryLine(step, depth));
  return [xv6Head(walk.root), ...lines].join("\n");
}

/** The line before the entries. */
export function xv6Head(root: bigint): string {
  return `page table ${pointer(root)}`;
}

/** As xv6's printf writes `%p`. */
function pointer(value: bigint): string {
  return formatAddress(value, 16);
}
