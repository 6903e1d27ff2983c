import { isBacked } from "../memory/physical_memory.ts";
import {
  ACCESSED,
  bits,
  decodeFrame,
  DIRTY,
  FORMATS,
  GLOBAL,
  KEY_SHIFT,
  type LevelFormat,
  NO_EXECUTE,
  PAGE_BYTES,
  PAGE_SIZE,
  type PageSize,
  type PageTableMode,
  PAT_AT_LEVEL_1,
  PAT_OF_LARGE_PAGE,
  PCD,
  PRESENT,
  PWT,
  reservedBits,
  USER,
  WRITABLE,
} from "./_page_table_formats.ts";
import type {
  EntryRights,
  ExpectedEntry,
  ExpectedLeaf,
  ExpectedTranslation,
} from "./expected_translation.ts";
import type { SparseMemory } from "./sparse_memory.ts";

/** Tables in memory, and the features of the CPU that reads them. */
export interface TableView {
  mode: PageTableMode;
  memory: SparseMemory;
  root: bigint;
  maxPhysAddrBits: number;
  nxEnabled: boolean;
  pageSizeExtensions: boolean;
}

/** Returns what the CPU makes of one address: SDM 4.3, 4.4.2, 4.5.4 and 4.6. */
export function expectTranslation(view: TableView, va: bigint): ExpectedTranslation {
  if (!isCanonical(view.mode, va)) return { outcome: "nonCanonical" };
  const path: ExpectedEntry[] = [];
  let table = view.root;
  for (const level of FORMATS[view.mode].levels) {
    const entry = entryOf(view, table, level, va);
    if (entry === null) return { outcome: "unreadable", level: level.level, path };
    path.push(entry);
    const kind = classify(view, level, entry.raw);
    if (kind.is === "notPresent" || kind.is === "reservedBits") {
      return { outcome: kind.is, level: level.level, path };
    }
    if (kind.is === "leaf") {
      const leaf = describeLeaf(view, va, kind.size, path);
      return { outcome: "mapped", physicalAddress: leaf.pa + (va - leaf.va), leaf };
    }
    table = kind.table;
  }
  throw new Error("unreachable: an entry of level 1 is never a table");
}

/** Lists every page that the tables map, in the order of the tables. */
export function* expectLeaves(view: TableView): Generator<ExpectedLeaf> {
  yield* leavesBelow(view, view.root, 0, 0n, []);
}

function* leavesBelow(
  view: TableView,
  table: bigint,
  depth: number,
  base: bigint,
  above: ExpectedEntry[],
): Generator<ExpectedLeaf> {
  const level = FORMATS[view.mode].levels[depth]!;
  for (let index = 0; index < level.entries; index++) {
    const va = signExtend(view.mode, base | (BigInt(index) << level.shift));
    const entry = entryOf(view, table, level, va);
    if (entry === null) continue;
    const kind = classify(view, level, entry.raw);
    if (kind.is !== "leaf" && kind.is !== "table") continue;
    const path = [...above, entry];
    if (kind.is === "leaf") yield describeLeaf(view, va, kind.size, path);
    else yield* leavesBelow(view, kind.table, depth + 1, va, path);
  }
}

/** Says where the entry for an address lies in a table of one level. */
export function entryAddressIn(
  mode: PageTableMode,
  table: bigint,
  level: LevelFormat,
  va: bigint,
): { index: number; entryAddress: bigint } {
  const index = (va >> level.shift) & BigInt(level.entries - 1);
  const entryAddress = table + index * BigInt(FORMATS[mode].entryBytes);
  return { index: Number(index), entryAddress };
}

function entryOf(
  view: TableView,
  table: bigint,
  level: LevelFormat,
  va: bigint,
): ExpectedEntry | null {
  const { index, entryAddress } = entryAddressIn(view.mode, table, level, va);
  const bytes = FORMATS[view.mode].entryBytes;
  if (!isBacked(view.memory.ranges, entryAddress, bytes)) return null;
  const raw = bytes === 8 ? view.memory.readU64(entryAddress) : view.memory.readU32(entryAddress);
  return { level: level.level, index, entryAddress, raw };
}

type EntryKind =
  | { is: "notPresent" }
  | { is: "reservedBits" }
  | { is: "leaf"; size: PageSize }
  | { is: "table"; table: bigint };

/** Sorts an entry: first present, then reserved bits, then page or table. */
export function classify(
  view: Omit<TableView, "root">,
  level: LevelFormat,
  raw: bigint,
): EntryKind {
  if (!(raw & PRESENT)) return { is: "notPresent" };
  // SDM 4.3: with CR4.PSE = 0, bit 7 of a PDE of 32-bit paging is ignored.
  const seen = view.mode === "32-bit" && level.level === 2 && !view.pageSizeExtensions
    ? raw & ~PAGE_SIZE
    : raw;
  if (seen & reservedBits(view.mode, level, seen, view)) return { is: "reservedBits" };
  const isLeaf = level.level === 1 || (seen & PAGE_SIZE) !== 0n;
  if (isLeaf && level.page) return { is: "leaf", size: level.page };
  const top = view.mode === "32-bit" ? 31 : view.maxPhysAddrBits - 1;
  return { is: "table", table: raw & bits(top, 12) };
}

function describeLeaf(
  view: TableView,
  va: bigint,
  size: PageSize,
  path: ExpectedEntry[],
): ExpectedLeaf {
  const { mode } = view;
  const own = path.at(-1)!;
  const bytes = PAGE_BYTES[size];
  const withRights = path.filter(({ level }) =>
    FORMATS[mode].levels.find((format) => format.level === level)!.hasRights
  );
  const hasNx = mode !== "32-bit" && view.nxEnabled;
  const deniedBy = {
    user: levelsOf(withRights, ({ raw }) => !(raw & USER)),
    writable: levelsOf(withRights, ({ raw }) => !(raw & WRITABLE)),
    executable: levelsOf(withRights, ({ raw }) => hasNx && (raw & NO_EXECUTE) !== 0n),
  };
  return {
    mode,
    va: va & ~(bytes - 1n),
    pa: decodeFrame(size, own.raw, view.maxPhysAddrBits),
    size,
    sizeBytes: Number(bytes),
    level: own.level,
    entryAddress: own.entryAddress,
    raw: own.raw,
    leaf: rightsOf(mode, own),
    effective: {
      user: deniedBy.user.length === 0,
      writable: deniedBy.writable.length === 0,
      executable: deniedBy.executable.length === 0,
    },
    deniedBy,
    decidedBy: {
      user: deniedBy.user[0] ?? own.level,
      writable: deniedBy.writable[0] ?? own.level,
      executable: deniedBy.executable[0] ?? own.level,
    },
    path,
  };
}

function levelsOf(path: ExpectedEntry[], denies: (entry: ExpectedEntry) => boolean): number[] {
  return path.filter(denies).map(({ level }) => level);
}

function rightsOf(mode: PageTableMode, { level, raw }: ExpectedEntry): Required<EntryRights> {
  const isSet = (bit: bigint) => (raw & bit) !== 0n;
  const longMode = mode === "4-level" || mode === "5-level";
  return {
    user: isSet(USER),
    writable: isSet(WRITABLE),
    noExecute: mode !== "32-bit" && isSet(NO_EXECUTE),
    global: isSet(GLOBAL),
    accessed: isSet(ACCESSED),
    dirty: isSet(DIRTY),
    pat: isSet(level === 1 ? PAT_AT_LEVEL_1 : PAT_OF_LARGE_PAGE),
    pcd: isSet(PCD),
    pwt: isSet(PWT),
    protectionKey: longMode ? Number((raw >> KEY_SHIFT) & 0xfn) : 0,
  };
}

/** Whether an address can be translated at all: SDM 3.3.7.1. */
export function isCanonical(mode: PageTableMode, va: bigint): boolean {
  return va === signExtend(mode, va);
}

function signExtend(mode: PageTableMode, va: bigint): bigint {
  const linear = FORMATS[mode].linearBits;
  if (linear === 32) return va & bits(31, 0);
  return BigInt.asUintN(64, BigInt.asIntN(linear, va));
}
