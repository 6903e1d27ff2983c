import type { LinearAddressBits } from "../../core/canonical.ts";
import type { LevelFormat } from "../../translate/entry.ts";
import type { PagingModeName } from "./paging_state.ts";
import * as fields from "./bit_fields.ts";

/** A table's level: 5 is PML5, 4 PML4, 3 PDPT, 2 PD, and 1 PT, whose entries map 4 KiB pages. */
export type PagingLevel = 1 | 2 | 3 | 4 | 5;

/** A table's name, as the Intel SDM abbreviates it. */
export type LevelName = "PML5" | "PML4" | "PDPT" | "PD" | "PT";

/** How the tables of one level are laid out in one paging mode. */
export interface PagingLevelFormat extends LevelFormat {
  /** The level, 5 to 1. */
  readonly level: PagingLevel;
  /** The table's name. */
  readonly name: LevelName;
  /** The context flag without which bit 7 does not make an entry map a page. */
  readonly pageNeeds?: "pageSizeExtension";
}

/** One of the paging modes of x86, as data. */
export interface PagingMode {
  /** The mode's name. */
  readonly name: PagingModeName;
  /** How many bits of a linear address are translated. */
  readonly linearAddressBits: LinearAddressBits;
  /** The length of an entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** The levels, from the root down. */
  readonly levels: readonly PagingLevelFormat[];
}

const PT_64: PagingLevelFormat = {
  level: 1,
  name: "PT",
  entryName: "PTE",
  shift: 12,
  indexBits: 9,
  page: fields.PAGE_64,
};
const PD_64: PagingLevelFormat = {
  level: 2,
  name: "PD",
  entryName: "PDE",
  shift: 21,
  indexBits: 9,
  table: fields.TABLE_64,
  page: fields.largePage64(21),
};
const PDPT_64: PagingLevelFormat = {
  level: 3,
  name: "PDPT",
  entryName: "PDPTE",
  shift: 30,
  indexBits: 9,
  table: fields.TABLE_64,
  page: fields.largePage64(30),
};
const PML4: PagingLevelFormat = {
  level: 4,
  name: "PML4",
  entryName: "PML4E",
  shift: 39,
  indexBits: 9,
  table: fields.TOP_TABLE_64,
};
const PML5: PagingLevelFormat = {
  level: 5,
  name: "PML5",
  entryName: "PML5E",
  shift: 48,
  indexBits: 9,
  table: fields.TOP_TABLE_64,
};

/** The paging modes by name. Walking any of them is the same code over these tables. */
export const PAGING_MODES: Readonly<Record<PagingModeName, PagingMode>> = {
  "none": { name: "none", linearAddressBits: 32, entryBytes: 4, levels: [] },
  "32-bit": {
    name: "32-bit",
    linearAddressBits: 32,
    entryBytes: 4,
    levels: [
      {
        level: 2,
        name: "PD",
        entryName: "PDE",
        shift: 22,
        indexBits: 10,
        table: fields.TABLE_32,
        page: fields.LARGE_PAGE_32,
        pageNeeds: "pageSizeExtension",
      },
      { level: 1, name: "PT", entryName: "PTE", shift: 12, indexBits: 10, page: fields.PAGE_32 },
    ],
  },
  "pae": {
    name: "pae",
    linearAddressBits: 32,
    entryBytes: 8,
    levels: [
      {
        level: 3,
        name: "PDPT",
        entryName: "PDPTE",
        shift: 30,
        indexBits: 2,
        table: fields.TOP_TABLE_PAE,
      },
      {
        level: 2,
        name: "PD",
        entryName: "PDE",
        shift: 21,
        indexBits: 9,
        table: fields.TABLE_PAE,
        page: fields.LARGE_PAGE_PAE,
      },
      { level: 1, name: "PT", entryName: "PTE", shift: 12, indexBits: 9, page: fields.PAGE_PAE },
    ],
  },
  "4-level": {
    name: "4-level",
    linearAddressBits: 48,
    entryBytes: 8,
    levels: [PML4, PDPT_64, PD_64, PT_64],
  },
  "5-level": {
    name: "5-level",
    linearAddressBits: 57,
    entryBytes: 8,
    levels: [PML5, PML4, PDPT_64, PD_64, PT_64],
  },
};
