/**
 * An architecture of no processor, to show that a regime is all that the walk and everything built on it
 * know: three levels of eight entries of 4 bytes, and a right holds if any level gives it.
 */
import type { GuestRegisters, PageTableEntry, Regime, Right, Rights } from "../../mod.ts";
import {
  type Architecture,
  type BitField,
  fieldDecoder,
  type LevelDecoder,
  type LevelFormat,
  type RegimeRules,
  type RegisterFormats,
  type RegisterNames,
  type RightsRule,
} from "../../src/entries/extend.ts";

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

/** The registers of a toy's vCPU. */
export interface ToyRegisters extends GuestRegisters {
  readonly architecture: "toy";
  /** The root register: bit 0 switches translation on. */
  readonly troot: bigint;
  /** The next instruction. */
  readonly at: bigint;
}

const REGISTERS: RegisterFormats = {
  modes: ["toy"],
  recognizes: (reply) => reply.startsWith("TROOT="),
  printed: (reply) =>
    Array.from(reply.matchAll(/^TROOT=([0-9a-f]+) AT=([0-9a-f]+)$/gm), ([, troot, at], cpu) => ({
      ...{ architecture: "toy", cpu, troot: BigInt(`0x${troot}`), at: BigInt(`0x${at}`) },
    })),
  stub: {
    wanted: [["troot"], ["at"]],
    combine: ([troot, at], printed) => ({ ...printed, ...{ troot, at } }),
  },
  dumpMachines: [],
  dumped: null,
  dumpNotice: "a toy is not dumped",
  rootOf: ({ troot }: ToyRegisters) => RULES.rootAddress(troot),
  regimeOf,
  contextOf: (_memory, registers: ToyRegisters) => Promise.resolve(regimeOf(registers)),
  needsPeers: () => false,
  contextOfMode: () => toyRegime(0n),
  checkRoot() {},
};

function regimeOf({ troot }: ToyRegisters): Regime {
  const regime = toyRegime(RULES.rootAddress(troot));
  return troot & 1n ? regime : { ...regime, noTables: RULES.noTables };
}

const NAMES: RegisterNames = {
  noun: "brick",
  head: "brick",
  fields: ["troot", "at"],
  known: ["troot", "at"],
  otherwise: { pc: "at" },
  told: ({ troot, at }: ToyRegisters) => ({ troot, at }),
  nextInstruction: ({ at }: ToyRegisters) => at,
  state: ({ troot }: ToyRegisters) => troot & 1n ? "builds" : "rests",
  rows: ({ troot, at }: ToyRegisters, symbol) => [
    ["TROOT", troot, { ON: 1n }],
    ["AT", at, symbol],
  ],
  summary: ({ troot, at }: ToyRegisters) => ({ troot, at }),
  columns: [{ head: "TROOT", field: "troot" }, { head: "AT", field: "at" }],
};

/** Its row: all that the rest of the program is told of it. */
export const TOY_ARCHITECTURE: Architecture = {
  name: "toy",
  targets: ["toy"],
  registers: REGISTERS,
  names: NAMES,
  access: {
    usesRegisters: false,
    keys: ["write", "fetch"],
    check() {},
    decide: (found, _regime, { write }) =>
      found.outcome === "mapped" && (!write || found.effective.writable)
        ? { outcome: "ok", physicalAddress: found.physicalAddress }
        : { outcome: "pageFault", error: { code: 1, bits: ["toy fault"] }, reason: "it is a toy" },
  },
  regimeFrom: ({ mode, root }) =>
    mode === "toy" && typeof root === "bigint" ? toyRegime(root) : null,
};
