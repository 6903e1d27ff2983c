/**
 * An architecture of no processor, to show that a regime is all that the walk and everything built on it
 * know: three levels of eight entries of 4 bytes, and a right holds if any level gives it.
 */
import {
  type Architecture,
  type BitField,
  fieldDecoder,
  type LevelDecoder,
  type LevelFormat,
  type PageTableEntry,
  type Regime,
  type RegimeRules,
  type Right,
  type Rights,
  type RightsRule,
} from "../../mod.ts";

/** The bits of an entry. */
export const TOY = { valid: 1n, page: 2n, user: 4n, write: 8n, run: 16n, seen: 32n } as const;

const BITS: readonly BitField[] = [
  { low: 0, width: 1, name: "V", meaning: "valid", whenClear: "not valid", flag: "present" },
  { low: 1, width: 1, name: "L", meaning: "maps a page", whenClear: "points to a table" },
  {
    low: 2,
    width: 1,
    name: "S",
    linuxName: "TOY_USER",
    meaning: "shared with users",
    flag: "user",
  },
  { low: 3, width: 1, name: "M", meaning: "may change", flag: "writable" },
  { low: 4, width: 1, name: "R", meaning: "may run", flag: "executable" },
  { low: 5, width: 1, name: "N", meaning: "noticed", flag: "accessed" },
  { low: 12, width: 20, name: "ADDR", meaning: "address", addressBit: 12 },
];

function level(number: number, name: string, shift: number): LevelFormat {
  const format = {
    level: number,
    name,
    entryName: `${name} slot`,
    shift,
    indexBits: 3,
    page: BITS,
  };
  return number === 2 ? format : { ...format, table: BITS };
}

const FORMATS = [level(0, "Root", 18), level(1, "Branch", 15), level(2, "Twig", 12)];

function decoder(format: LevelFormat): LevelDecoder {
  return fieldDecoder(format, {
    entryBytes: 4,
    physicalAddressBits: 32,
    presentBit: TOY.valid,
    rightFlags: ["user", "writable", "executable"],
    kindOf: (raw) =>
      !(raw & TOY.valid) ? "notPresent" : raw & TOY.page || !format.table ? "page" : "table",
  });
}

const RIGHTS: readonly (Right & keyof Rights)[] = ["user", "writable", "executable"];
const NOTHING: Rights = { user: false, writable: false, executable: false };

function own({ flags }: PageTableEntry): Rights {
  const { user = false, writable = false, executable = false } = flags;
  return { user, writable, executable };
}

/** Any level may give a right; the first that does decides it. */
const ANY_LEVEL: RightsRule = {
  names: RIGHTS,
  bits: {
    user: { field: "S", name: "TOY_USER", mask: TOY.user, setWhenGranted: true },
    writable: { field: "M", name: "TOY_WRITE", mask: TOY.write, setWhenGranted: true },
    executable: { field: "R", name: "TOY_RUN", mask: TOY.run, setWhenGranted: true },
  },
  start: { effective: NOTHING, decidedAt: {} },
  of: own,
  leafOf: (entry) => ({
    ...own(entry),
    accessed: entry.flags.accessed === true,
    dirty: false,
    global: false,
  }),
  restrict(soFar, entry) {
    const given = RIGHTS.filter((right) => own(entry)[right] && !soFar.effective[right]);
    if (given.length === 0) return soFar;
    const all = (value: unknown) => Object.fromEntries(given.map((right) => [right, value]));
    return {
      effective: { ...soFar.effective, ...all(true) },
      decidedAt: { ...soFar.decidedAt, ...all(entry.level) },
    };
  },
  settle({ effective, decidedAt }, leaf) {
    const { user = leaf, writable = leaf, executable = leaf } = decidedAt;
    return { effective, decidedBy: { present: leaf, user, writable, executable } };
  },
};

const RULES: RegimeRules = {
  architecture: "toy",
  rootName: "TROOT",
  rights: ANY_LEVEL,
  noTables: { kind: "pagingOff", reason: "the toy does not translate" },
  frameLimitName: "TOYBITS",
  kernel: { start: 0x10_0000n, sharedWithUser: [] },
  cacheTypes: ["cached"],
  deviceCacheTypes: [],
  cacheIndexOf: () => 0,
  rootAddress: (value) => value & 0xffff_ffe0n,
  reservedCauses: () => ["bits that the toy has not"],
  absentContent: (raw) =>
    raw === 0n ? { kind: "empty" } : { kind: "swap", type: 0, offset: raw >> 12n },
};

const SPANS = [{
  addressBits: 21,
  extension: "zeros",
  entryBytes: 4,
  presentBits: 1,
  hardwareBits: TOY.seen,
  levels: FORMATS.map(decoder),
}] as const;

/** The toy's only regime, over a root. */
export function toyRegime(root: bigint): Regime {
  return { mode: "toy", root, spans: SPANS, rules: RULES };
}

/** Its row. */
export const TOY_ARCHITECTURE: Architecture = {
  name: "toy",
  targets: ["toy"],
  regimeFrom: ({ mode, root }) =>
    mode === "toy" && typeof root === "bigint" ? toyRegime(root) : null,
};
