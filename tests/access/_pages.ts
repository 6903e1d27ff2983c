import type { EntryRights } from "../../src/testing/expected_translation.ts";
import { PageTableBuilder } from "../../src/testing/page_table_builder.ts";
import type { PageSize, PageTableMode } from "../../src/testing/page_table_builder.ts";
import type { SparseMemory } from "../../src/testing/sparse_memory.ts";
import { PROGRAM, TABLES_AT, TARGET } from "./_memory_layout.ts";

/** One page to be accessed. */
export interface AccessedPage {
  /** The address to access, which leads to {@linkcode TARGET} if the tables let it. */
  address: bigint;
  /** What is special about it, for messages. */
  about: string;
  /** Its leaf has U/S. */
  user: boolean;
  /** Its protection key. */
  key: number;
}

/** The levels of a mode that a page of a size passes below the root, and whether they have rights. */
interface Shape {
  size: PageSize;
  level: number;
  /** The levels above the leaf whose entries have rights. */
  parents: number[];
}

const SHAPES: Record<PageTableMode, Shape[]> = {
  "32-bit": [{ size: "4K", level: 1, parents: [2] }, { size: "4M", level: 2, parents: [] }],
  "pae": [{ size: "4K", level: 1, parents: [2] }, { size: "2M", level: 2, parents: [] }],
  "4-level": [
    { size: "4K", level: 1, parents: [2, 3, 4] },
    { size: "2M", level: 2, parents: [3, 4] },
    { size: "1G", level: 3, parents: [4] },
  ],
  "5-level": [
    { size: "4K", level: 1, parents: [2, 3, 4, 5] },
    { size: "2M", level: 2, parents: [3, 4, 5] },
    { size: "1G", level: 3, parents: [4, 5] },
  ],
};

/** How far apart pages lie, so that each has tables of its own below the level it varies. */
const SHIFT: Record<PageTableMode, Record<number, bigint>> = {
  "32-bit": { 1: 22n, 2: 22n },
  "pae": { 1: 21n, 2: 21n },
  "4-level": { 1: 21n, 2: 21n, 3: 30n, 4: 39n },
  "5-level": { 1: 21n, 2: 21n, 3: 30n, 4: 39n, 5: 48n },
};

const LEAF_BYTES: Record<PageSize, bigint> = {
  "4K": 1n << 12n,
  "2M": 1n << 21n,
  "4M": 1n << 22n,
  "1G": 1n << 30n,
};

/** Every combination of U/S, R/W and XD, as far as the mode has them. */
function rightsOf(mode: PageTableMode): EntryRights[] {
  const combinations: EntryRights[] = [];
  for (const user of [true, false]) {
    for (const writable of [true, false]) {
      combinations.push({ user, writable });
      if (mode !== "32-bit") combinations.push({ user, writable, noExecute: true });
    }
  }
  return combinations;
}

/** Builds the program's own mappings and every kind of page, and returns where the pages are. */
export function buildPages(
  mode: PageTableMode,
  memory: SparseMemory,
): { tables: PageTableBuilder; pages: AccessedPage[] } {
  const tables = new PageTableBuilder(mode, memory, { tablesAt: TABLES_AT });
  for (const { start, end, rights } of PROGRAM) {
    for (let at = start; at < end; at += 0x1000n) tables.map(at, at, "4K", rights);
  }
  const pages: AccessedPage[] = [];
  const wide = mode === "4-level" || mode === "5-level";
  // Past the program's tables; each next page starts where the last one's level of variation ends.
  let next = 1n << (wide ? 39n : 26n);
  const place = (level: number): bigint => {
    const shift = SHIFT[mode][level]!;
    const address = (next + (1n << shift) - 1n) >> shift << shift;
    next = address + (1n << shift);
    return address;
  };
  const add = (shape: Shape, rights: EntryRights, level: number, about: string): bigint => {
    const at = place(Math.max(level, shape.level));
    const bytes = LEAF_BYTES[shape.size];
    tables.map(at, TARGET / bytes * bytes, shape.size, rights);
    const address = at + TARGET % bytes;
    const { user = false, protectionKey: key = 0 } = rights;
    pages.push({ address, about: `${shape.size} ${about}`, user, key });
    return at;
  };
  const show = (rights: EntryRights) =>
    `${rights.user ? "U" : "-"}${rights.writable ? "W" : "-"}${rights.noExecute ? "-" : "X"}`;
  for (const shape of SHAPES[mode]) {
    for (const rights of rightsOf(mode)) {
      add(shape, rights, shape.level, `leaf ${show(rights)}`);
      for (const level of shape.parents) {
        for (const above of rightsOf(mode)) {
          const at = add(
            shape,
            rights,
            level,
            `leaf ${show(rights)}, level ${level} ${show(above)}`,
          );
          tables.setRights(at, level, above);
        }
      }
    }
    if (wide) {
      for (const user of [true, false]) {
        const rights = { user, writable: true, protectionKey: 1 };
        add(shape, rights, shape.level, `leaf ${show(rights)}, key 1`);
      }
    }
    const all = { user: true, writable: true };
    for (const level of [shape.level, ...shape.parents]) {
      const at = add(shape, all, level, `not present at level ${level}`);
      tables.change(at, level, (raw) => raw & ~1n);
    }
    // Bits that the entry reserves: bit 13 of a large page, bit 51 (past MAXPHYADDR) of any.
    if (shape.level > 1) {
      const at = add(shape, all, shape.level, "leaf with a reserved low bit");
      tables.change(at, shape.level, (raw) => raw | (mode === "32-bit" ? 1n << 21n : 1n << 13n));
    }
    if (mode !== "32-bit") {
      for (const level of [shape.level, ...shape.parents]) {
        const at = add(shape, all, level, `level ${level} beyond MAXPHYADDR`);
        tables.change(at, level, (raw) => raw | 1n << 51n);
      }
    }
  }
  if (wide) {
    for (const address of [1n << 63n, mode === "4-level" ? 1n << 47n : 1n << 56n]) {
      pages.push({ address, about: "no canonical address", user: false, key: 0 });
    }
  }
  return { tables, pages };
}
