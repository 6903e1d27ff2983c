import type { BitField } from "../../translate/entry.ts";
import { dmaRights } from "../rights.ts";
import { iommuRules } from "../rules.ts";
import { address, ignored, PAGE_SHIFT, TABLE_BITS, vtdRegimes } from "./levels.ts";

/** Intel VT-d specification, 9.8: an entry is there if R or W is set; there is no present bit. */
const READ = 1n;
const WRITE = 2n;

const R: BitField = {
  low: 0,
  width: 1,
  name: "R",
  linuxName: "DMA_PTE_READ",
  meaning: "readable",
  whenClear: "not readable",
  flag: "readable",
};
const W: BitField = {
  low: 1,
  width: 1,
  name: "W",
  linuxName: "DMA_PTE_WRITE",
  meaning: "writable",
  whenClear: "not writable",
  flag: "writable",
};
const X = ignored(2, 1, "X");
const PS: BitField = {
  low: 7,
  width: 1,
  name: "PS",
  linuxName: "DMA_PTE_LARGE_PAGE",
  meaning: "maps a page",
  whenClear: "points to a table",
};
const A: BitField = { low: 8, width: 1, name: "A", meaning: "accessed", flag: "accessed" };
const D: BitField = { low: 9, width: 1, name: "D", meaning: "dirty", flag: "dirty" };
const TOP = ignored(63, 1, "ignored");

function tableFields(level: number): readonly BitField[] {
  // Above level 3 no page exists: PS is reserved there.
  const large = level > 3 ? [] : [PS];
  return [
    ...[R, W, X, ignored(3, 4, "ignored"), ...large, A, ignored(9, 3, "ignored")],
    ...[address(PAGE_SHIFT), ignored(52, 11, "ignored"), TOP],
  ];
}

function pageFields(level: number): readonly BitField[] {
  return [
    ...[R, W, X, ignored(3, 3, "EMT"), ignored(6, 1, "IPAT")],
    ...[level === 1 ? ignored(7, 1, "ignored") : PS, A, D, ignored(10, 1, "ignored")],
    ...[ignored(11, 1, "SNP"), address(PAGE_SHIFT + TABLE_BITS * (level - 1))],
    ...[ignored(52, 10, "ignored"), ignored(62, 1, "TM"), TOP],
  ];
}

/** VT-d's second-level tables, of 3, 4 or 5 levels; null if there are none with so many. */
export const secondLevelRegime = vtdRegimes({
  name: "VT-d second level",
  prefix: "SL",
  levels: [3, 4, 5],
  extension: "zeros",
  presentBits: READ | WRITE,
  // A (bit 8) and D (bit 9), where the unit sets them.
  hardwareBits: 0x300n,
  rightFlags: ["readable", "writable"],
  tableFields,
  pageFields,
  // Nested, every access is an AND of both (Intel VT-d specification, 3.7 and 3.8): a table of the first level
  // has to be readable.
  rules: {
    ...iommuRules({
      architecture: "vtd-second-level",
      rootName: "SLPTPTR",
      frameLimitName: "the host address width",
      rights: dmaRights({
        readable: { field: "R", name: "DMA_PTE_READ", mask: READ, setWhenGranted: true },
        writable: { field: "W", name: "DMA_PTE_WRITE", mask: WRITE, setWhenGranted: true },
      }),
    }),
    secondStageNeeds: ["readable"],
    secondStageResultNeeds: [],
    secondStageRestricts: ["readable", "writable"],
  },
});
