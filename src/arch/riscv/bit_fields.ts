import type { BitField } from "../../translate/entry.ts";

// The fields of an entry (RISC-V privileged architecture, "Sv32: Page-Based 32-bit Virtual-Memory
// Systems" and "Sv39"), with Linux's names (arch/riscv/include/asm/pgtable-bits.h, pgtable-64.h).

function bit(
  low: number,
  name: string,
  linuxName: string,
  meaning: string,
  flag: string,
  whenClear?: string,
): BitField {
  const field = { low, width: 1, name, linuxName, meaning, flag };
  return whenClear === undefined ? field : { ...field, whenClear };
}

function software(low: number, linuxName: string, meaning: string): BitField {
  return { low, width: 1, name: "RSW", linuxName, meaning };
}

const V = bit(0, "V", "_PAGE_PRESENT", "valid", "present", "not valid");
const R = bit(1, "R", "_PAGE_READ", "readable", "readable");
const W = bit(2, "W", "_PAGE_WRITE", "writable", "writable");
const X = bit(3, "X", "_PAGE_EXEC", "executable", "executable");
const U = bit(4, "U", "_PAGE_USER", "user", "user", "supervisor only");
const G = bit(5, "G", "_PAGE_GLOBAL", "global: in every address space", "global", "not global");
const A = bit(6, "A", "_PAGE_ACCESSED", "accessed", "accessed");
const D = bit(7, "D", "_PAGE_DIRTY", "dirty", "dirty");
const SOFTWARE = [
  software(8, "_PAGE_SPECIAL", "software's own; in Linux a page without struct page"),
  software(
    9,
    "_PAGE_DEVMAP",
    "software's own; in Linux a device's memory with struct page, until 6.17",
  ),
];
const SOFTWARE_HIGH = [
  software(
    59,
    "_PAGE_SOFT_DIRTY",
    "software's own (Svrsw60t59b); in Linux written since it was asked",
  ),
  software(
    60,
    "_PAGE_UFFD_WP",
    "software's own (Svrsw60t59b); in Linux write-protected for userfaultfd",
  ),
];
const PBMT: BitField = {
  low: 61,
  width: 2,
  name: "PBMT",
  linuxName: "_PAGE_MTMASK",
  meaning: "memory type: 0 as the memory is, 1 NC, 2 IO",
};
const N = bit(63, "N", "_PAGE_NAPOT", "one of 16 entries of a 64 KiB page", "napot");
const ADDRESS_64: BitField = {
  low: 10,
  width: 44,
  name: "PPN",
  meaning: "physical address",
  addressBit: 12,
};
const ADDRESS_32: BitField = { ...ADDRESS_64, width: 22 };

const COMMON = [V, R, W, X, U, G, A, D, ...SOFTWARE];
/** In an entry that points to a table, A, D and U are reserved: software must clear them. */
const POINTER = [V, R, W, X, G, ...SOFTWARE];

/** An entry of 8 bytes that maps a page. */
export const PAGE_64: readonly BitField[] = [...COMMON, ADDRESS_64, ...SOFTWARE_HIGH, PBMT, N];
/** An entry of 8 bytes that points to a table. */
export const TABLE_64: readonly BitField[] = [...POINTER, ADDRESS_64, ...SOFTWARE_HIGH];
/** An entry of 4 bytes that maps a page. */
export const PAGE_32: readonly BitField[] = [...COMMON, ADDRESS_32];
/** An entry of 4 bytes that points to a table. */
export const TABLE_32: readonly BitField[] = [...POINTER, ADDRESS_32];

/** The software bits that only Svrsw60t59b has. */
export function isHighSoftware(field: BitField): boolean {
  return SOFTWARE_HIGH.includes(field);
}

/** The memory type of Svpbmt. */
export function isMemoryType(field: BitField): boolean {
  return field === PBMT;
}
