import type { AddressSpan, Regime, RegimeRules } from "../../translate/regime.ts";
import type { LevelDecoder, LevelFormat } from "../../translate/entry.ts";
import { fieldDecoder } from "../../translate/field_decoder.ts";
import type { NoTables } from "../../translate/no_tables.ts";
import type { LeafRights } from "../../translate/rights.ts";
import { isHighSoftware, isMemoryType } from "./bit_fields.ts";
import { RISCV_KERNEL_LAYOUTS } from "./kernel_layout.ts";
import {
  RISCV_MODES,
  type RiscvMode,
  type RiscvModeFormat,
  type RiscvSecondStageMode,
  rootRegister,
} from "./modes.ts";
import { riscvNotPresent } from "./not_present.ts";
import { ANY_RIGHT, refineEntry, riscvReservedCauses } from "./reserved_encodings.ts";
import { RISCV_RIGHTS, RISCV_SECOND_STAGE_RIGHTS } from "./rights.ts";

/** Addresses are not translated, and no hart is known: what there is to say then. */
const TRANSLATION_OFF: NoTables = Object.freeze({
  kind: "pagingOff",
  reason: "addresses are not translated (satp.MODE=0)",
});

const VALID = 1n;
/** A (bit 6) and D (bit 7): with Svadu the hart sets them as it walks. */
const ACCESSED_AND_DIRTY = 0xc0n;
/** The top table of a second stage has four times the entries. */
const WIDER_BY = 2;

/** Which extensions a regime has; each is assumed unless it is given. */
export interface RiscvExtensions {
  /** Svpbmt, switched on by `menvcfg.PBMTE`. @default {true} */
  readonly memoryTypes?: boolean;
  /** Svrsw60t59b. @default {true} */
  readonly softwareBits60To59?: boolean;
}

/** A regime of RISC-V: its mode, root and extensions. */
export interface RiscvRegime extends Regime, RiscvExtensions {
  /** The mode, with `x4` behind it for a second stage. */
  readonly mode: RiscvMode | RiscvSecondStageMode | "Bare";
}

const BARE_SPAN: AddressSpan = {
  ...{ addressBits: 56, extension: "zeros", entryBytes: 8, presentBits: 1, hardwareBits: 0n },
  levels: [],
};

/** No translation: virtual addresses are physical ones. */
export function bareRegime(): RiscvRegime {
  return { mode: "Bare", root: 0n, spans: [BARE_SPAN], rules: rulesOf("Sv39", false) };
}

/**
 * The regime of a table of `satp`.
 *
 * @param root the physical address of the top table
 *
 * @example Usage
 * ```ts
 * import { riscvRegime } from "@pagewalk/pagewalk";
 * import { levelDecoders } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const regime = riscvRegime("Sv39", 0x87f4_1000n);
 * assertEquals(levelDecoders(regime).map(({ format }) => format.level), [2, 1, 0]);
 * ```
 */
export function riscvRegime(
  mode: RiscvMode,
  root: bigint,
  extensions: RiscvExtensions = {},
): RiscvRegime {
  return { mode, root, ...extensions, ...partsOf(mode, false, extensions) };
}

/**
 * The regime of a second stage, a table of `hgatp`: it translates what a guest of this guest takes for
 * physical addresses. Its top table has 16 KiB, and every page needs U.
 *
 * @param root the physical address of the top table
 *
 * @example Usage
 * ```ts
 * import { riscvSecondStage } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(riscvSecondStage("Sv39", 0x8001_0000n).spans[0]?.addressBits, 41);
 * ```
 */
export function riscvSecondStage(
  mode: RiscvMode,
  root: bigint,
  extensions: RiscvExtensions = {},
): RiscvRegime {
  return { mode: `${mode}x4`, root, ...extensions, ...partsOf(mode, true, extensions) };
}

// What is equal for two regimes is one object, so that their walks can be compared and the shapes of
// entries met so far are kept. There are 32 of them.
const known = new Map<string, Pick<Regime, "spans" | "rules">>();

function partsOf(
  mode: RiscvMode,
  isSecond: boolean,
  extensions: RiscvExtensions,
): Pick<Regime, "spans" | "rules"> {
  const { memoryTypes = true, softwareBits60To59 = true } = extensions;
  const key = [mode, isSecond, memoryTypes, softwareBits60To59].join();
  let parts = known.get(key);
  if (parts === undefined) {
    const all = { memoryTypes, softwareBits60To59 };
    parts = { spans: [spanOf(RISCV_MODES[mode], isSecond, all)], rules: rulesOf(mode, isSecond) };
    known.set(key, parts);
  }
  return parts;
}

function spanOf(
  mode: RiscvModeFormat,
  isSecond: boolean,
  extensions: Required<RiscvExtensions>,
): AddressSpan {
  const { addressBits, entryBytes, levels } = mode;
  return {
    addressBits: isSecond ? addressBits + WIDER_BY : addressBits,
    extension: isSecond || entryBytes === 4 ? "zeros" : "sign",
    entryBytes,
    presentBits: Number(VALID),
    hardwareBits: ACCESSED_AND_DIRTY,
    levels: levels.map((format, depth) =>
      levelDecoder(isSecond && depth === 0 ? widened(format) : format, mode, extensions)
    ),
  };
}

function widened(format: LevelFormat): LevelFormat {
  return { ...format, indexBits: format.indexBits + WIDER_BY };
}

function levelDecoder(
  format: LevelFormat,
  { entryBytes, physicalBits }: RiscvModeFormat,
  { memoryTypes, softwareBits60To59 }: Required<RiscvExtensions>,
): LevelDecoder {
  return fieldDecoder(format, {
    entryBytes,
    physicalAddressBits: physicalBits,
    presentBit: VALID,
    rightFlags: ["readable", "writable", "executable"],
    kindOf(raw) {
      if (!(raw & VALID)) return "notPresent";
      return format.table && !(raw & ANY_RIGHT) ? "table" : "page";
    },
    isReserved: (field) =>
      isHighSoftware(field) && !softwareBits60To59 || isMemoryType(field) && !memoryTypes,
    refine: (entry) => refineEntry(entry, format.shift),
  });
}

function rulesOf(mode: RiscvMode, isSecond: boolean): RegimeRules {
  return {
    architecture: "riscv",
    rootName: isSecond ? "hgatp" : "satp",
    rights: isSecond ? RISCV_SECOND_STAGE_RIGHTS : RISCV_RIGHTS,
    noTables: TRANSLATION_OFF,
    frameLimitName: "the width of a physical address",
    kernel: RISCV_KERNEL_LAYOUTS[mode],
    cacheTypes: ["PMA", "NC", "IO", "reserved"],
    // Without Svpbmt the memory itself says how it is cached, so that devices are mapped by PMA, too.
    deviceCacheTypes: ["PMA", "NC", "IO"],
    cacheIndexOf: ({ memoryType = 0 }) => memoryType,
    rootAddress: (value) => rootAddress(value, RISCV_MODES[mode]),
    reservedCauses: riscvReservedCauses,
    mayFault,
    absentContent: riscvNotPresent,
    ...isSecond && {
      secondStageNeeds: ["user", "readable"] as const,
      // A page that may only be executed is mapped, too.
      secondStageResultNeeds: ["user"] as const,
      secondStageRestricts: ["readable", "writable", "executable"] as const,
    },
  };
}

/** What a hart without Svadu does: it leaves A and D to software. */
function mayFault({ accessed, dirty, writable }: LeafRights): string | undefined {
  if (!accessed) return "A is clear: an access faults unless hardware sets it (Svadu)";
  if (writable && !dirty) return "D is clear: a store faults unless hardware sets it (Svadu)";
  return undefined;
}

const PAGE_OFFSET = 0xfffn;

/**
 * The address of a top table that somebody named: an address of a page is one; what has a mode in it, or
 * is no address of a page, is a value of the root register.
 */
function rootAddress(value: bigint, { xlen, physicalBits }: RiscvModeFormat): bigint {
  const { root } = rootRegister(value, xlen);
  const isRegister = xlen === 64 ? value >> BigInt(physicalBits) !== 0n : value & PAGE_OFFSET;
  return isRegister ? root : value & ~PAGE_OFFSET;
}
