import type { BitField as AnyBitField } from "../../translate/entry.ts";

/** The flags of an entry that are one bit wide, by the field's usual words. */
export type EntryFlag =
  | "present"
  | "writable"
  | "user"
  | "writeThrough"
  | "cacheDisable"
  | "accessed"
  | "dirty"
  | "pageSize"
  | "global"
  | "pat"
  | "executeDisable";

/** One field of a page-table entry, as the Intel SDM vol. 3, chapter 4 lays entries out. */
export interface BitField extends AnyBitField {
  /** The decoded flag that this bit feeds. */
  readonly flag?: EntryFlag;
  /** Reserved unless EFER.NXE is set. */
  readonly needsExecuteDisable?: true;
}

const P: BitField = {
  low: 0,
  width: 1,
  name: "P",
  linuxName: "_PAGE_PRESENT",
  meaning: "present",
  whenClear: "not present",
  flag: "present",
};
const RW: BitField = {
  low: 1,
  width: 1,
  name: "R/W",
  linuxName: "_PAGE_RW",
  meaning: "writable",
  whenClear: "read-only",
  flag: "writable",
};
const US: BitField = {
  low: 2,
  width: 1,
  name: "U/S",
  linuxName: "_PAGE_USER",
  meaning: "user",
  whenClear: "supervisor only",
  flag: "user",
};
const PWT: BitField = {
  low: 3,
  width: 1,
  name: "PWT",
  linuxName: "_PAGE_PWT",
  meaning: "write-through",
  flag: "writeThrough",
};
const PCD: BitField = {
  low: 4,
  width: 1,
  name: "PCD",
  linuxName: "_PAGE_PCD",
  meaning: "cache disabled",
  flag: "cacheDisable",
};
const A: BitField = {
  low: 5,
  width: 1,
  name: "A",
  linuxName: "_PAGE_ACCESSED",
  meaning: "accessed",
  flag: "accessed",
};
const D: BitField = {
  low: 6,
  width: 1,
  name: "D",
  linuxName: "_PAGE_DIRTY",
  meaning: "dirty",
  flag: "dirty",
};
const PS: BitField = {
  low: 7,
  width: 1,
  name: "PS",
  linuxName: "_PAGE_PSE",
  meaning: "maps a large page",
  whenClear: "points to a table",
  flag: "pageSize",
};
const G: BitField = {
  low: 8,
  width: 1,
  name: "G",
  linuxName: "_PAGE_GLOBAL",
  meaning: "global: survives a CR3 load",
  whenClear: "not global",
  flag: "global",
};
const PAT_SMALL: BitField = {
  low: 7,
  width: 1,
  name: "PAT",
  linuxName: "_PAGE_PAT",
  meaning: "high bit of the PAT index",
  whenClear: "clear",
  flag: "pat",
};
const PAT_LARGE: BitField = { ...PAT_SMALL, low: 12, linuxName: "_PAGE_PAT_LARGE" };
const XD: BitField = {
  low: 63,
  width: 1,
  name: "XD",
  linuxName: "_PAGE_NX",
  meaning: "no execute",
  whenClear: "executable",
  flag: "executeDisable",
  needsExecuteDisable: true,
};
const PROTECTION_KEY: BitField = {
  low: 59,
  width: 4,
  name: "PK",
  linuxName: "_PAGE_PKEY_BIT0-3",
  meaning: "protection key",
};

// Software's own bits; Linux's use of them is from pgtable_types.h of 6.1 to 6.12.
const SOFTWARE_9: BitField = {
  low: 9,
  width: 1,
  name: "AVL",
  linuxName: "_PAGE_SPECIAL",
  meaning: "software: special mapping",
};
const SOFTWARE_10: BitField = {
  low: 10,
  width: 1,
  name: "AVL",
  linuxName: "_PAGE_UFFD_WP",
  meaning: "software: userfaultfd write-protected",
};
const SOFTWARE_11: BitField = {
  low: 11,
  width: 1,
  name: "AVL",
  linuxName: "_PAGE_SOFT_DIRTY",
  meaning: "software: soft dirty",
};
const SOFTWARE_57: BitField = {
  low: 57,
  width: 1,
  name: "AVL",
  linuxName: "_PAGE_SOFTW4",
  meaning: "software: device memory map (since 6.6)",
};
const SOFTWARE_58: BitField = {
  low: 58,
  width: 1,
  name: "AVL",
  linuxName: "_PAGE_SOFTW5",
  meaning: "software: saved dirty (device memory map before 6.6)",
};

function ignored(low: number, width: number): BitField {
  return { low, width, name: "AVL", meaning: "ignored by the processor" };
}

function address(low: number, width: number, addressBit = low): BitField {
  return { low, width, name: "ADDR", meaning: "physical address", addressBit };
}

// The fields of each kind of entry. A bit that no field covers is reserved, so these tables are also
// what reserved-bit checks are made of (Intel SDM vol. 3, tables 4-4 to 4-6, 4-8 to 4-11, 4-14 to 4-20).

const COMMON = [P, RW, US, PWT, PCD, A];
const SOFTWARE_LOW = [SOFTWARE_9, SOFTWARE_10, SOFTWARE_11];
const HIGH_TABLE_64 = [ignored(52, 11), XD];
const HIGH_PAGE_64 = [ignored(52, 5), SOFTWARE_57, SOFTWARE_58, PROTECTION_KEY, XD];

/** A top entry of 4- or 5-level paging, in which bit 7 is reserved. */
export const TOP_TABLE_64: readonly BitField[] = [
  ...COMMON,
  ignored(6, 1),
  ignored(8, 4),
  address(12, 40),
  ...HIGH_TABLE_64,
];
/** An entry of 4- or 5-level paging that may map a page but points to a table. */
export const TABLE_64: readonly BitField[] = [
  ...COMMON,
  ignored(6, 1),
  PS,
  ignored(8, 4),
  address(12, 40),
  ...HIGH_TABLE_64,
];
/** A large page of 4- or 5-level paging; `shift` is 21 or 30. */
export function largePage64(shift: number): readonly BitField[] {
  const frame = address(shift, 52 - shift);
  return [...COMMON, D, PS, G, ...SOFTWARE_LOW, PAT_LARGE, frame, ...HIGH_PAGE_64];
}
/** A 4 KiB page of 4- or 5-level paging. */
export const PAGE_64: readonly BitField[] = [
  ...COMMON,
  D,
  PAT_SMALL,
  G,
  ...SOFTWARE_LOW,
  address(12, 40),
  ...HIGH_PAGE_64,
];

/**
 * One of PAE's four top entries: no rights of its own. Table 4-8 reserves bit 5, but the processor
 * checks these entries only when CR3 is loaded, and QEMU's TCG (seen in 7.2) sets the bit as it walks.
 */
export const TOP_TABLE_PAE: readonly BitField[] = [
  P,
  PWT,
  PCD,
  { ...A, meaning: "accessed (set by QEMU's TCG, else reserved)", whenClear: "not accessed" },
  ignored(9, 3),
  address(12, 40),
];
/** PAE's page-directory entry that points to a table. */
export const TABLE_PAE: readonly BitField[] = [
  ...COMMON,
  ignored(6, 1),
  PS,
  ignored(8, 4),
  address(12, 40),
  XD,
];
/** PAE's 2 MiB page. */
export const LARGE_PAGE_PAE: readonly BitField[] = [
  ...COMMON,
  D,
  PS,
  G,
  ...SOFTWARE_LOW,
  PAT_LARGE,
  address(21, 31),
  XD,
];
/** PAE's 4 KiB page. */
export const PAGE_PAE: readonly BitField[] = [
  ...COMMON,
  D,
  PAT_SMALL,
  G,
  ...SOFTWARE_LOW,
  address(12, 40),
  XD,
];

/** A page-directory entry of 32-bit paging that points to a table. */
export const TABLE_32: readonly BitField[] = [
  ...COMMON,
  ignored(6, 1),
  PS,
  ignored(8, 4),
  address(12, 20),
];
/** A 4 MiB page of 32-bit paging; PSE-36 puts address bits 32-39 into bits 13-20. */
export const LARGE_PAGE_32: readonly BitField[] = [
  ...COMMON,
  D,
  PS,
  G,
  ...SOFTWARE_LOW,
  PAT_LARGE,
  address(13, 8, 32),
  address(22, 10),
];
/** A 4 KiB page of 32-bit paging. */
export const PAGE_32: readonly BitField[] = [
  ...COMMON,
  D,
  PAT_SMALL,
  G,
  ...SOFTWARE_LOW,
  address(12, 20),
];
