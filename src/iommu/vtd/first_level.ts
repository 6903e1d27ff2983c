import type { AddressSpan, Regime } from "../../translate/regime.ts";
import type { BitField, LevelDecoder } from "../../translate/entry.ts";
import { fieldDecoder } from "../../translate/field_decoder.ts";
import { dmaRights } from "../rights.ts";
import { iommuRules } from "../rules.ts";
import { PAGE_SHIFT, TABLE_BITS, VTD_ADDRESS_BITS, VTD_LEVEL_NAMES } from "./levels.ts";

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;
const LARGE = 1n << 7n;

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

function ignored(low: number, width: number, name: string): BitField {
  return { low, width, name, meaning: "not used for DMA" };
}

function address(low: number): BitField {
  return { low, width: 52 - low, name: "ADDR", meaning: "address", addressBit: low };
}

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

function decoderOf(level: number): LevelDecoder {
  const { name, entryName } = VTD_LEVEL_NAMES[level]!;
  return fieldDecoder({
    level,
    name: `FL-${name}`,
    entryName: `FL-${entryName}`,
    shift: PAGE_SHIFT + TABLE_BITS * (level - 1),
    indexBits: TABLE_BITS,
    ...level > 1 && { table: tableFields(level) },
    ...level <= 3 && { page: pageFields(level) },
  }, {
    entryBytes: 8,
    physicalAddressBits: 52,
    presentBit: PRESENT,
    rightFlags: ["write"],
    kindOf(raw) {
      if (!(raw & PRESENT)) return "notPresent";
      return level === 1 || (level <= 3 && raw & LARGE) ? "page" : "table";
    },
    // A device's requests are not privileged unless they carry a PASID that says so, and then U/S=0
    // stops them (Intel VT-d specification, 3.6.1; QEMU 10.0, vtd_iova_to_flpte).
    refine(entry) {
      const readable = entry.flags.anyRequest === true;
      const writable = readable && entry.flags.write === true;
      return { ...entry, flags: flagsOf(entry.flags, readable, writable) };
    },
  });
}

type Flags = Readonly<Record<string, boolean>>;

/** Entries that are alike share their flags, before and after. */
const known = new WeakMap<Flags, Flags>();

function flagsOf(flags: Flags, readable: boolean, writable: boolean): Flags {
  let all = known.get(flags);
  if (all === undefined) known.set(flags, all = Object.freeze({ ...flags, readable, writable }));
  return all;
}

const DECODERS = [1, 2, 3, 4, 5].map(decoderOf);

const SPANS = new Map(
  [4, 5].map((levels): [number, readonly AddressSpan[]] => [levels, [{
    addressBits: VTD_ADDRESS_BITS[levels]!,
    extension: "sign",
    entryBytes: 8,
    presentBits: Number(PRESENT),
    // A (bit 5) and D (bit 6), which the unit sets.
    hardwareBits: 0x60n,
    levels: DECODERS.slice(0, levels).toReversed(),
  }]]),
);

const RULES = iommuRules({
  architecture: "vtd-first-level",
  rootName: "FLPTPTR",
  frameLimitName: "the host address width",
  rights: dmaRights({
    readable: { field: "U/S", name: "U/S", mask: USER, setWhenGranted: true },
    writable: { field: "R/W", name: "R/W", mask: WRITE, setWhenGranted: true },
  }),
});

/** VT-d's first-level tables, of 4 or 5 levels and the CPU's format; null if there are none with so many. */
export function firstLevelRegime(root: bigint, levels: number): Regime | null {
  const spans = SPANS.get(levels);
  return spans === undefined
    ? null
    : { mode: `VT-d first level, ${levels} levels`, root, spans, rules: RULES };
}
