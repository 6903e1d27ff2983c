import type { PageSize, PageTableMode } from "./_page_table_formats.ts";

/** The rights and memory-type bits of one entry; a bit that is not named is clear. */
export interface EntryRights {
  /** U/S, bit 2: user mode may use it. */
  user?: boolean;
  /** R/W, bit 1: it may be written to. */
  writable?: boolean;
  /** XD (NX), bit 63: instructions may not be fetched from it. Not in 32-bit paging. */
  noExecute?: boolean;
  /** G, bit 8, of a leaf. */
  global?: boolean;
  /** A, bit 5. */
  accessed?: boolean;
  /** D, bit 6, of a leaf. */
  dirty?: boolean;
  /** PAT of a leaf: bit 7 at level 1, bit 12 of a large page. */
  pat?: boolean;
  /** PCD, bit 4. */
  pcd?: boolean;
  /** PWT, bit 3. */
  pwt?: boolean;
  /** Bits 62:59 of a leaf, 0 to 15; only in 4-level and 5-level paging. */
  protectionKey?: number;
}

/** One entry on the way to a page. */
export interface ExpectedEntry {
  /** 5 to 1; level 1 is the table of 4 KiB pages. */
  level: number;
  /** The index into that level's table, from 0. */
  index: number;
  /** The guest-physical address of the entry. */
  entryAddress: bigint;
  /** The entry's 4 or 8 bytes. */
  raw: bigint;
}

/** What holds for each kind of access. */
export interface PerAccess<T> {
  /** For user mode. */
  user: T;
  /** For writing. */
  writable: T;
  /** For fetching instructions. */
  executable: T;
}

/** One page and everything that a walk to it should find. */
export interface ExpectedLeaf {
  /** The mode of the tables. */
  mode: PageTableMode;
  /** The first virtual address, sign-extended (canonical) in 4-level and 5-level paging. */
  va: bigint;
  /** The first guest-physical address. */
  pa: bigint;
  /** The page's size. */
  size: PageSize;
  /** The page's size in bytes. */
  sizeBytes: number;
  /** The level of the entry that maps it. */
  level: number;
  /** The guest-physical address of that entry. */
  entryAddress: bigint;
  /** That entry. */
  raw: bigint;
  /** The rights that the leaf alone gives, each one spelled out. */
  leaf: Required<EntryRights>;
  /** The rights that are left after all levels: AND for user and writable, no NX anywhere. */
  effective: PerAccess<boolean>;
  /** The levels that deny each access, from the root down; empty if it is allowed. */
  deniedBy: PerAccess<number[]>;
  /** The level that decides: the first from the root that denies, else the leaf's. */
  decidedBy: PerAccess<number>;
  /** Every entry from the root down to the leaf. */
  path: ExpectedEntry[];
}

/** What a walk should find for one address. */
export type ExpectedTranslation =
  | { outcome: "mapped"; physicalAddress: bigint; leaf: ExpectedLeaf }
  | {
    /** `unreadable`: the entry itself lies outside the memory's ranges. */
    outcome: "notPresent" | "reservedBits" | "unreadable";
    /** The level whose entry ends the walk. */
    level: number;
    /** The entries read, from the root down; without the unreadable one. */
    path: ExpectedEntry[];
  }
  | { outcome: "nonCanonical" };
