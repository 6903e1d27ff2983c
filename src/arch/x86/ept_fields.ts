import type { BitField } from "../../translate/entry.ts";

// Intel SDM vol. 3, tables 29-1 to 29-7.
const R: BitField = {
  low: 0,
  width: 1,
  name: "R",
  meaning: "may be read",
  whenClear: "may not be read",
  flag: "readable",
};
const W: BitField = {
  low: 1,
  width: 1,
  name: "W",
  meaning: "may be written",
  whenClear: "may not be written",
  flag: "writable",
};
const X: BitField = {
  low: 2,
  width: 1,
  name: "X",
  meaning: "may be executed",
  whenClear: "may not be executed",
  flag: "executable",
};
const MEMORY_TYPE: BitField = { low: 3, width: 3, name: "MT", meaning: "memory type" };
const IGNORE_PAT: BitField = {
  low: 6,
  width: 1,
  name: "IPAT",
  meaning: "the guest's PAT is ignored",
};
const LARGE: BitField = {
  low: 7,
  width: 1,
  name: "PS",
  meaning: "maps a large page",
  whenClear: "points to a table",
  flag: "pageSize",
};
const A: BitField = { low: 8, width: 1, name: "A", meaning: "accessed", flag: "accessed" };
const D: BitField = { low: 9, width: 1, name: "D", meaning: "dirty", flag: "dirty" };
const XU: BitField = { low: 10, width: 1, name: "XU", meaning: "user mode may execute" };

function ignored(low: number, width: number): BitField {
  return { low, width, name: "AVL", meaning: "ignored by the processor" };
}

function address(low: number): BitField {
  return { low, width: 52 - low, name: "ADDR", meaning: "physical address", addressBit: low };
}

const HIGH = ignored(52, 12);
const TABLE = [R, W, X, A, ignored(9, 1), XU, ignored(11, 1), address(12), HIGH];

/** A top entry of EPT, in which bit 7 is reserved. */
export const TOP_TABLE_EPT: readonly BitField[] = TABLE;
/** An entry of EPT that may map a page but points to a table. */
export const TABLE_EPT: readonly BitField[] = [...TABLE, LARGE];
/** A large page of EPT; `shift` is 21 or 30. */
export function largePageEpt(shift: number): readonly BitField[] {
  return [R, W, X, MEMORY_TYPE, IGNORE_PAT, LARGE, A, D, XU, ignored(11, 1), address(shift), HIGH];
}
/** A 4 KiB page of EPT. */
export const PAGE_EPT: readonly BitField[] = [
  ...[R, W, X, MEMORY_TYPE, IGNORE_PAT, ignored(7, 1)],
  ...[A, D, XU, ignored(11, 1), address(12), HIGH],
];
