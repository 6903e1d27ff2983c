import type { AddressSpan, Regime, RegimeRules } from "../../translate/regime.ts";
import type { BitField, LevelDecoder, PageTableEntry } from "../../translate/entry.ts";
import { fieldDecoder } from "../../translate/field_decoder.ts";
import { type DeviceRights, dmaRights } from "../rights.ts";
import { iommuRules } from "../rules.ts";

// AMD I/O Virtualization Technology (IOMMU) Specification, 2.2.3: page-table entries of version 1.
const PRESENT = 1n;
const READ = 1n << 61n;
const WRITE = 1n << 62n;
const PAGE_SHIFT = 12;
const TABLE_BITS = 9;
/** "Next level" of a page whose size its address tells. */
const SIZE_IN_ADDRESS = 7;
const ADDRESS_BITS = 64;

const FIELDS: readonly BitField[] = [
  {
    low: 0,
    width: 1,
    name: "PR",
    linuxName: "IOMMU_PTE_PR",
    meaning: "present",
    whenClear: "not present",
    flag: "present",
  },
  ignored(1, 4),
  { low: 5, width: 1, name: "A", meaning: "accessed", flag: "accessed" },
  { low: 6, width: 1, name: "D", meaning: "dirty", flag: "dirty" },
  ignored(7, 2),
  { low: 9, width: 3, name: "Next Level", meaning: "level of the next table; 0 and 7: a page" },
  { low: PAGE_SHIFT, width: 40, name: "ADDR", meaning: "address", addressBit: PAGE_SHIFT },
  ignored(52, 7),
  { low: 59, width: 1, name: "U", meaning: "for the device: no snooping" },
  {
    low: 60,
    width: 1,
    name: "FC",
    meaning: "accesses are coherent",
    whenClear: "as the device says",
  },
  {
    low: 61,
    width: 1,
    name: "IR",
    linuxName: "IOMMU_PTE_IR",
    meaning: "readable",
    whenClear: "not readable",
    flag: "readable",
  },
  {
    low: 62,
    width: 1,
    name: "IW",
    linuxName: "IOMMU_PTE_IW",
    meaning: "writable",
    whenClear: "not writable",
    flag: "writable",
  },
  ignored(63, 1),
];

function ignored(low: number, width: number): BitField {
  return { low, width, name: "ignored", meaning: "not used" };
}

function shiftOf(level: number): number {
  return PAGE_SHIFT + TABLE_BITS * (level - 1);
}

function nextLevel(raw: bigint): number {
  return Number(raw >> 9n & 7n);
}

function decoderOf(level: number): LevelDecoder {
  const shift = shiftOf(level);
  return fieldDecoder({
    level,
    name: `level ${level}`,
    entryName: `level-${level} entry`,
    shift,
    indexBits: Math.min(TABLE_BITS, ADDRESS_BITS - shift),
    ...level > 1 && { table: FIELDS },
    page: FIELDS,
  }, {
    entryBytes: 8,
    physicalAddressBits: 52,
    presentBit: PRESENT,
    rightFlags: ["readable", "writable"],
    kindOf(raw) {
      if (!(raw & PRESENT)) return "notPresent";
      const next = nextLevel(raw);
      return next === 0 || next === SIZE_IN_ADDRESS || level === 1 ? "page" : "table";
    },
    refine: (entry) => refined(entry, level),
  });
}

/** The size of a page that its address tells, the levels that are left out, and what makes no sense. */
function refined(entry: PageTableEntry, level: number): PageTableEntry {
  const next = nextLevel(entry.raw);
  const wrongLevel: PageTableEntry = { ...entry, reservedBits: 7n << 9n };
  if (entry.kind === "table") {
    if (next >= level) return wrongLevel;
    return next === level - 1 ? entry : { ...entry, skippedLevels: level - 1 - next };
  }
  if (next !== SIZE_IN_ADDRESS) {
    if (next !== 0) return wrongLevel;
    const below = entry.frame & ((1n << BigInt(shiftOf(level))) - 1n);
    return below === 0n ? entry : { ...entry, reservedBits: below };
  }
  const pageShift = sizeOf(entry.frame);
  // It is larger than a page of this level, and smaller than one of the next.
  if (pageShift <= shiftOf(level) || pageShift >= shiftOf(level + 1)) {
    return { ...entry, reservedBits: entry.frame };
  }
  return { ...entry, pageShift, frame: entry.frame >> BigInt(pageShift) << BigInt(pageShift) };
}

/** The size that an address tells by its lowest bit that is 0: 2^(bit + 1) bytes (2.2.3, table 15). */
function sizeOf(address: bigint): number {
  let bit = PAGE_SHIFT;
  while (address >> BigInt(bit) & 1n) bit++;
  return bit + 1;
}

const DECODERS = [1, 2, 3, 4, 5, 6].map(decoderOf);

const SPANS = new Map(
  DECODERS.map(({ format }, i): [number, readonly AddressSpan[]] => [format.level, [{
    addressBits: Math.min(ADDRESS_BITS, shiftOf(format.level + 1)),
    extension: "zeros",
    entryBytes: 8,
    presentBits: Number(PRESENT),
    hardwareBits: 0x60n,
    levels: DECODERS.slice(0, i + 1).toReversed(),
  }]]),
);

function rulesFor(device: DeviceRights): RegimeRules {
  return iommuRules({
    architecture: "amdvi-v1",
    rootName: "the page-table root of the device table entry",
    frameLimitName: "the physical address size",
    rights: dmaRights({
      readable: { field: "IR", name: "IOMMU_PTE_IR", mask: READ, setWhenGranted: true },
      writable: { field: "IW", name: "IOMMU_PTE_IW", mask: WRITE, setWhenGranted: true },
    }, device),
  });
}

/** By what the device's own entry allows: R is 1, W is 2. */
const RULES = [0, 1, 2, 3].map((rights) =>
  rulesFor({ readable: Boolean(rights & 1), writable: Boolean(rights & 2) })
);

/**
 * AMD-Vi's tables of version 1, with 1 to 6 levels; null if there are none with so many.
 *
 * @param device what the device table entry's IR and IW allow at all
 */
export function amdviRegime(root: bigint, levels: number, device: DeviceRights): Regime | null {
  const spans = SPANS.get(levels);
  const rules = RULES[(device.readable ? 1 : 0) + (device.writable ? 2 : 0)]!;
  return spans === undefined ? null : { mode: modeName(levels, device), root, spans, rules };
}

function modeName(levels: number, { readable, writable }: DeviceRights): string {
  const name = `AMD-Vi v1, ${levels} level${levels === 1 ? "" : "s"}`;
  if (readable && writable) return name;
  return `${name}, ${readable ? "read-only" : writable ? "write-only" : "no access"}`;
}
