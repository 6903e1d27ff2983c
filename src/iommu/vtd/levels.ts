import type { BitField, LevelDecoder, PageTableEntry } from "../../translate/entry.ts";
import { fieldDecoder } from "../../translate/field_decoder.ts";
import type { Regime, RegimeRules } from "../../translate/regime.ts";

/** Every table of VT-d has 512 entries, and the last level maps 4 KiB. */
export const TABLE_BITS = 9;
/** The address bits below a page. */
export const PAGE_SHIFT = 12;
/** An entry of level 2 or 3 that has it maps a page. */
const LARGE = 1n << 7n;

/** How many address bits so many levels translate (Intel VT-d specification, 3.6 and 3.7). */
const ADDRESS_BITS: Readonly<Record<number, number>> = { 3: 39, 4: 48, 5: 57 };

/** The names of the tables of each level, which are the CPU's, and of their entries. */
const NAMES: Readonly<Record<number, { name: string; entryName: string }>> = {
  1: { name: "PT", entryName: "PTE" },
  2: { name: "PD", entryName: "PDE" },
  3: { name: "PDPT", entryName: "PDPTE" },
  4: { name: "PML4", entryName: "PML4E" },
  5: { name: "PML5", entryName: "PML5E" },
};

/** What differs between VT-d's two kinds of tables, which both have the CPU's levels. */
export interface VtdTables {
  /** What the regime is called, before the number of its levels. */
  readonly name: string;
  /** What stands before the names of levels and entries. */
  readonly prefix: "FL" | "SL";
  /** How many levels there may be. */
  readonly levels: readonly number[];
  /** What addresses have above their bits. */
  readonly extension: "sign" | "zeros";
  /** The bits of which one is set in an entry that is there. */
  readonly presentBits: bigint;
  /** The bits that the unit sets. */
  readonly hardwareBits: bigint;
  /** The rights by which entries are told apart. */
  readonly rightFlags: readonly string[];
  /** The fields of an entry that points to a table. */
  tableFields(level: number): readonly BitField[];
  /** The fields of an entry that maps a page. */
  pageFields(level: number): readonly BitField[];
  /** What an entry means beside its bits. */
  refine?(entry: PageTableEntry): PageTableEntry;
  /** What holds for all of them. */
  readonly rules: RegimeRules;
}

/** Makes regimes of a kind of tables: by the root and the number of levels; null if there are none with so many. */
export function vtdRegimes(tables: VtdTables): (root: bigint, levels: number) => Regime | null {
  const decoders = [1, 2, 3, 4, 5].map((level) => decoderOf(tables, level));
  const { name, extension, hardwareBits, presentBits, rules } = tables;
  const spans = new Map(tables.levels.map((levels) => [levels, [{
    ...{ addressBits: ADDRESS_BITS[levels]!, extension, entryBytes: 8 as const, hardwareBits },
    presentBits: Number(presentBits),
    levels: decoders.slice(0, levels).toReversed(),
  }]]));
  return (root, levels) => {
    const found = spans.get(levels);
    return found === undefined
      ? null
      : { mode: `${name}, ${levels} levels`, root, spans: found, rules };
  };
}

function decoderOf(tables: VtdTables, level: number): LevelDecoder {
  const { prefix, presentBits, rightFlags, refine } = tables;
  const { name, entryName } = NAMES[level]!;
  return fieldDecoder({
    level,
    name: `${prefix}-${name}`,
    entryName: `${prefix}-${entryName}`,
    shift: PAGE_SHIFT + TABLE_BITS * (level - 1),
    indexBits: TABLE_BITS,
    ...level > 1 && { table: tables.tableFields(level) },
    ...level <= 3 && { page: tables.pageFields(level) },
  }, {
    entryBytes: 8,
    physicalAddressBits: 52,
    presentBit: presentBits & -presentBits,
    rightFlags,
    kindOf(raw) {
      if (!(raw & presentBits)) return "notPresent";
      return level === 1 || (level <= 3 && raw & LARGE) ? "page" : "table";
    },
    ...refine && { refine },
  });
}

/** A field that DMA takes no notice of. */
export function ignored(low: number, width: number, name: string): BitField {
  return { low, width, name, meaning: "not used for DMA" };
}

/** The address from a bit up. */
export function address(low: number): BitField {
  return { low, width: 52 - low, name: "ADDR", meaning: "address", addressBit: low };
}
