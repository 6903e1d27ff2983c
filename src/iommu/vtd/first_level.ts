import type { BitField } from "../../translate/entry.ts";
import { dmaRights } from "../rights.ts";
import { iommuRules } from "../rules.ts";
import { address, ignored, PAGE_SHIFT, TABLE_BITS, vtdRegimes } from "./levels.ts";

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;

const P: BitField = {
  low: 0,
  width: 1,
  name: "P",
  meaning: "present",
  whenClear: "not present",
  flag: "present",
};
const RW: BitField = {
  low: 1,
  width: 1,
  name: "R/W",
  meaning: "writable",
  whenClear: "read-only",
  flag: "write",
};
const US: BitField = {
  low: 2,
  width: 1,
  name: "U/S",
  meaning: "any request",
  whenClear: "privileged requests only",
  flag: "anyRequest",
};
const PS: BitField = {
  low: 7,
  width: 1,
  name: "PS",
  meaning: "maps a page",
  whenClear: "points to a table",
};
const A: BitField = { low: 5, width: 1, name: "A", meaning: "accessed", flag: "accessed" };
const D: BitField = { low: 6, width: 1, name: "D", meaning: "dirty", flag: "dirty" };
const XD = ignored(63, 1, "XD");

function tableFields(level: number): readonly BitField[] {
  const large = level > 3 ? [] : [PS];
  return [
    ...[P, RW, US, ignored(3, 2, "PWT, PCD"), A, ignored(6, 1, "ignored"), ...large],
    ...[ignored(8, 4, "ignored"), address(PAGE_SHIFT), ignored(52, 11, "ignored"), XD],
  ];
}

function pageFields(level: number): readonly BitField[] {
  const pat = level === 1 ? [ignored(7, 1, "PAT")] : [PS, ignored(12, 1, "PAT")];
  return [
    ...[P, RW, US, ignored(3, 2, "PWT, PCD"), A, D, ...pat, ignored(8, 4, "ignored")],
    ...[address(PAGE_SHIFT + TABLE_BITS * (level - 1)), ignored(52, 11, "ignored"), XD],
  ];
}

type Flags = Readonly<Record<string, boolean>>;

/** Entries that are alike share their flags, before and after. */
const known = new WeakMap<Flags, Flags>();

function flagsOf(flags: Flags, readable: boolean, writable: boolean): Flags {
  let all = known.get(flags);
  if (all === undefined) known.set(flags, all = Object.freeze({ ...flags, readable, writable }));
  return all;
}

/** VT-d's first-level tables, of 4 or 5 levels and the CPU's format; null if there are none with so many. */
export const firstLevelRegime = vtdRegimes({
  name: "VT-d first level",
  prefix: "FL",
  levels: [4, 5],
  extension: "sign",
  presentBits: PRESENT,
  // A (bit 5) and D (bit 6).
  hardwareBits: 0x60n,
  rightFlags: ["write"],
  tableFields,
  pageFields,
  // A device's requests are not privileged unless they carry a PASID that says so, and then U/S=0
  // stops them (Intel VT-d specification, 3.6.1; QEMU 10.0, vtd_iova_to_flpte).
  refine(entry) {
    const readable = entry.flags.anyRequest === true;
    const writable = readable && entry.flags.write === true;
    return { ...entry, flags: flagsOf(entry.flags, readable, writable) };
  },
  rules: iommuRules({
    architecture: "vtd-first-level",
    rootName: "FLPTPTR",
    frameLimitName: "the host address width",
    rights: dmaRights({
      readable: { field: "U/S", name: "U/S", mask: USER, setWhenGranted: true },
      writable: { field: "R/W", name: "R/W", mask: WRITE, setWhenGranted: true },
    }),
  }),
});
