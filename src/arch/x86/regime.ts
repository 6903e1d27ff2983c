import type { AddressSpan, Regime, RegimeRules } from "../../translate/regime.ts";
import type { LevelDecoder, PageTableEntry } from "../../translate/entry.ts";
import { fieldDecoder } from "../../translate/field_decoder.ts";
import { PAGING_OFF } from "./cpu_state.ts";
import { DEVICE_CACHE_TYPES, PAT_OF_LINUX } from "./cache_type.ts";
import { KERNEL_LAYOUTS } from "./kernel_layout.ts";
import { KPTI_VIEWS } from "./kpti_pair.ts";
import { PAGING_MODES, type PagingLevelFormat, type PagingMode } from "./modes.ts";
import { decodeNotPresent } from "./not_present.ts";
import type { PagingModeName, PagingState } from "./paging_state.ts";
import { rightsRule } from "./rights.ts";

/** Every processor with PAE has at least so many address bits (Intel SDM vol. 3, 4.1.4). */
const LEAST_BITS = 36;

const PRESENT = 1n;
const PAGE_SIZE = 1n << 7n;
/** _PAGE_SPECIAL (arch/x86/include/asm/pgtable_types.h). */
const SPECIAL = 1n << 9n;
/** A (bit 5) and D (bit 6): the processor sets them as it walks (Intel SDM vol. 3, 4.8). */
const ACCESSED_AND_DIRTY = 0x60n;

// CR3's address bits by mode: Intel SDM vol. 3, tables 4-3 (32-bit), 4-7 (PAE: a 32-byte aligned
// group of four entries below 4 GiB) and 4-12 (bits 61 and 62 are LAM's, bits 0-11 PCID or cache).
export const ROOT_MASK: Record<PagingModeName, bigint> = {
  "none": 0n,
  "32-bit": 0xffff_f000n,
  "pae": 0xffff_ffe0n,
  "4-level": 0x000f_ffff_ffff_f000n,
  "5-level": 0x000f_ffff_ffff_f000n,
};

// What is equal for two contexts is one object, so that their walks can be compared and the shapes of
// entries met so far are kept.
const knownSpans = new Map<string, readonly AddressSpan[]>();
const knownRules = new Map<string, RegimeRules>();
/** Options come from outside: no caller is to fill the memory with them. */
const MAX_KNOWN = 64;

function known<T>(all: Map<string, T>, key: string, make: () => T): T {
  let value = all.get(key);
  if (value === undefined) {
    if (all.size >= MAX_KNOWN) all.clear();
    all.set(key, value = make());
  }
  return value;
}

/** The regime of a paging state: its levels' decoders, and what x86 calls things. */
export function regimeOf(state: PagingState): Pick<Regime, "spans" | "rules" | "assuredFrameBits"> {
  const { mode, pageSizeExtension, executeDisable, physicalAddressBits } = state;
  const { bit, whenSet } = state.confidentialBit ?? { bit: -1, whenSet: "private" };
  const key = [mode, pageSizeExtension, executeDisable, physicalAddressBits, bit, whenSet].join();
  const hasKeys = state.userKeys || state.supervisorKeys;
  return {
    spans: known(knownSpans, key, () => [spanOf(PAGING_MODES[mode], state)]),
    rules: known(knownRules, `${mode} ${hasKeys}`, () => rulesOf(mode, hasKeys)),
    ...state.physicalAddressBitsAssumed && { assuredFrameBits: LEAST_BITS },
  };
}

function spanOf(mode: PagingMode, state: PagingState): AddressSpan {
  const { linearAddressBits, entryBytes, levels } = mode;
  return {
    addressBits: linearAddressBits,
    extension: linearAddressBits === 32 ? "zeros" : "sign",
    entryBytes,
    presentBits: 1,
    hardwareBits: ACCESSED_AND_DIRTY,
    levels: levels.map((format) => levelDecoder(format, entryBytes, state)),
  };
}

function levelDecoder(
  format: PagingLevelFormat,
  entryBytes: 4 | 8,
  state: PagingState,
): LevelDecoder {
  const largePagesExist = format.page && (!format.pageNeeds || state[format.pageNeeds]);
  const { confidentialBit, executeDisable, physicalAddressBits } = state;
  return fieldDecoder(format, {
    entryBytes,
    physicalAddressBits,
    presentBit: PRESENT,
    rightFlags: ["user"],
    kindOf(raw) {
      if (!(raw & PRESENT)) return "notPresent";
      if (!format.table) return "page";
      return largePagesExist && raw & PAGE_SIZE ? "page" : "table";
    },
    isReserved: (field) => !executeDisable && "needsExecuteDisable" in field,
    ...confidentialBit && { confidentialBit },
  });
}

function rulesOf(mode: PagingModeName, hasKeys: boolean): RegimeRules {
  return {
    architecture: "x86",
    rootName: "CR3",
    rights: rightsRule(hasKeys),
    noTables: PAGING_OFF,
    frameLimitName: "MAXPHYADDR",
    reservedCauses: (entry) => reservedCauses(entry, mode),
    kernel: KERNEL_LAYOUTS[mode],
    cacheTypes: PAT_OF_LINUX,
    deviceCacheTypes: DEVICE_CACHE_TYPES,
    cacheIndexOf: ({ patIndex = 0 }) => patIndex,
    rootAddress: (value) => value & ROOT_MASK[mode],
    absentContent: (raw, level) => decodeNotPresent(raw, mode, level),
    withFrameBits: (regime: Regime & PagingState, bits) => {
      const { physicalAddressBitsAssumed: _, assuredFrameBits: _bits, ...others } = regime;
      const told = { ...others, physicalAddressBits: bits };
      return { ...told, ...regimeOf(told) };
    },
    isSpecial: (raw) => (raw & SPECIAL) !== 0n,
    ...mode.endsWith("-level") && { views: KPTI_VIEWS },
  };
}

const EXECUTE_DISABLE = 1n << 63n;
/** Of the entries of 8 bytes, the address bits from 32 up; lower ones are reserved by the format alone. */
const ABOVE_32 = 0x000f_ffff_0000_0000n;
/** Bits 39:32 of a 4 MiB page's address stand in bits 20:13 of its entry (Intel SDM vol. 3, table 4-4). */
const PSE36 = 0xffn << 13n;

/** Why a bit that an entry sets is reserved. */
type ReservedCause = "executeDisable" | "beyond" | "format";

const TEXT: Readonly<Record<ReservedCause, string>> = {
  executeDisable: "reserved bit 63 (XD, which needs EFER.NXE=1)",
  beyond: "address bits at or above MAXPHYADDR",
  format: "bits that its format reserves",
};

/** Why the bits that an entry sets are reserved: entries with equal causes are alike. */
function reservedCauses(
  { reservedBits, hasRights }: Pick<PageTableEntry, "reservedBits" | "hasRights">,
  mode: PagingModeName,
): string[] {
  const isWide = PAGING_MODES[mode].entryBytes === 8;
  // PAE's top entries have no XD: bit 63 is reserved there whatever EFER says.
  const executeDisable = isWide && hasRights ? EXECUTE_DISABLE : 0n;
  const beyond = isWide ? ABOVE_32 : PSE36;
  const causes: ReservedCause[] = [
    ...reservedBits & executeDisable ? ["executeDisable"] as const : [],
    ...reservedBits & beyond ? ["beyond"] as const : [],
    ...reservedBits & ~executeDisable & ~beyond ? ["format"] as const : [],
  ];
  return causes.map((cause) => TEXT[cause]);
}
