import { BOOLEAN, checkOptions, given, wholeNumberFrom } from "../../core/options.ts";
import type { AddressSpan, Regime, RegimeRules } from "../../translate/regime.ts";
import type { BitField, LevelDecoder, LevelFormat, PageTableEntry } from "../../translate/entry.ts";
import { fieldDecoder } from "../../translate/field_decoder.ts";
import { everyLevelGrants, type Rights } from "../../translate/rights.ts";
import { EPT_MEMORY_TYPES } from "./cache_type.ts";
import { PAGING_OFF } from "./cpu_state.ts";
import type { PagingContext } from "./paging_context.ts";
import { largePageEpt, PAGE_EPT, TABLE_EPT, TOP_TABLE_EPT } from "./ept_fields.ts";

const READ = 1n;
const WRITE = 2n;
const FETCH = 4n;
const ANY_RIGHT = READ | WRITE | FETCH;
const LARGE = 1n << 7n;
/** What both stages have to allow (Intel SDM vol. 3, 29.3.2; AMD APM vol. 2, 15.25.6). */
const SECOND_STAGE_RESTRICTS = ["writable", "executable"] as const;
/** Bits 5:3 of a page's entry: 2, 3 and 7 are not memory types (Intel SDM vol. 3, 29.3.3.1). */
const NO_MEMORY_TYPES = [2n, 3n, 7n];

/** What EPT's pointer and the processor say of its tables. */
export interface EptOptions {
  /** MAXPHYADDR, 32 to 52. @default {52} */
  readonly physicalAddressBits?: number;
  /** Whether the processor knows pages that may only be executed (IA32_VMX_EPT_VPID_CAP). @default {true} */
  readonly executeOnly?: boolean;
}

/**
 * The regime of Intel's extended page tables, by which a hypervisor translates what its guest takes for
 * physical addresses (Intel SDM vol. 3, 29.3).
 *
 * @param eptp the pointer as the VMCS holds it: bits 5:3 are the number of levels less one
 *
 * @example Usage
 * ```ts
 * import { extendedPageTables } from "@pagewalk/pagewalk";
 * import { levelDecoders } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const ept = extendedPageTables(0x12345_01en);
 * assertEquals([ept.mode, ept.root], ["EPT", 0x1234_5000n]);
 * assertEquals(levelDecoders(ept).map(({ format }) => format.name), ["PML4", "PDPT", "PD", "PT"]);
 * ```
 */
export function extendedPageTables(eptp: bigint, options: EptOptions = {}): Regime {
  checkOptions(options, "the options of extended page tables", {
    physicalAddressBits: wholeNumberFrom(32, 52),
    executeOnly: BOOLEAN,
  });
  const hasFive = ((eptp >> 3n) & 7n) === 4n;
  const { physicalAddressBits = 52, executeOnly = true } = options;
  const levels = hasFive ? FORMATS : FORMATS.slice(1);
  const span: AddressSpan = {
    addressBits: hasFive ? 57 : 48,
    extension: "zeros",
    entryBytes: 8,
    presentBits: Number(ANY_RIGHT),
    hardwareBits: 0x300n,
    levels: levels.map((format) => decoder(format, physicalAddressBits, executeOnly)),
  };
  return { mode: "EPT", root: RULES.rootAddress(eptp), spans: [span], rules: RULES };
}

/**
 * The regime of AMD's nested paging: the host's own kind of tables, over addresses that are not
 * sign-extended, and every access of the guest counts as a user's (AMD APM vol. 2, 15.25).
 *
 * @param host the host's paging state with nCR3 as its root
 *
 * @example Usage
 * ```ts
 * import { nestedPaging, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const host = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * assertEquals(nestedPaging(host).mode, "NPT");
 * ```
 */
export function nestedPaging(host: PagingContext): Regime {
  const { root, spans, rules, assuredFrameBits } = host;
  return {
    mode: "NPT",
    root,
    spans: spans.map((span) => ({ ...span, extension: "zeros" as const })),
    rules: {
      ...rules,
      rootName: "nCR3",
      secondStageNeeds: ["user"],
      secondStageRestricts: SECOND_STAGE_RESTRICTS,
    },
    ...given({ assuredFrameBits }),
  };
}

function format(
  level: number,
  name: string,
  shift: number,
  kinds: { table?: readonly BitField[]; page?: readonly BitField[] },
): LevelFormat {
  return {
    level,
    name,
    entryName: level === 1 ? "PTE" : `${name}E`,
    shift,
    indexBits: 9,
    ...kinds,
  };
}

const FORMATS: readonly LevelFormat[] = [
  format(5, "PML5", 48, { table: TOP_TABLE_EPT }),
  format(4, "PML4", 39, { table: TOP_TABLE_EPT }),
  format(3, "PDPT", 30, { table: TABLE_EPT, page: largePageEpt(30) }),
  format(2, "PD", 21, { table: TABLE_EPT, page: largePageEpt(21) }),
  format(1, "PT", 12, { page: PAGE_EPT }),
];

function decoder(
  level: LevelFormat,
  physicalAddressBits: number,
  executeOnly: boolean,
): LevelDecoder {
  return fieldDecoder(level, {
    entryBytes: 8,
    physicalAddressBits,
    presentBit: READ,
    rightFlags: ["readable"],
    kindOf(raw) {
      if (!(raw & ANY_RIGHT)) return "notPresent";
      if (!level.table) return "page";
      return level.page && raw & LARGE ? "page" : "table";
    },
    refine: (entry) => {
      const bad = entry.reservedBits | misconfigured(entry, executeOnly);
      return bad === entry.reservedBits ? entry : { ...entry, reservedBits: bad };
    },
  });
}

/** Bits that make an entry an EPT misconfiguration (Intel SDM vol. 3, 29.3.3.1). */
function misconfigured({ raw, kind }: PageTableEntry, executeOnly: boolean): bigint {
  if (!(raw & READ) && raw & WRITE) return WRITE;
  if (!(raw & READ) && raw & FETCH && !executeOnly) return FETCH;
  const type = (raw >> 3n) & 7n;
  return kind === "page" && NO_MEMORY_TYPES.includes(type) ? type << 3n : 0n;
}

function rightsOf({ flags }: PageTableEntry): Rights {
  return {
    user: true,
    writable: flags.writable === true,
    executable: flags.executable === true,
    readable: flags.readable === true,
  };
}

const RULES: RegimeRules = {
  architecture: "x86",
  rootName: "EPTP",
  rights: {
    ...everyLevelGrants(["readable", "writable", "executable"], rightsOf),
    bits: {
      readable: { field: "R", name: "R", mask: READ, setWhenGranted: true },
      writable: { field: "W", name: "W", mask: WRITE, setWhenGranted: true },
      executable: { field: "X", name: "X", mask: FETCH, setWhenGranted: true },
    },
    leafOf: (entry) => ({
      ...rightsOf(entry),
      accessed: entry.flags.accessed === true,
      dirty: entry.flags.dirty === true,
      global: false,
      patIndex: Number((entry.raw >> 3n) & 7n),
    }),
  },
  secondStageNeeds: ["readable"],
  secondStageRestricts: SECOND_STAGE_RESTRICTS,
  noTables: PAGING_OFF,
  frameLimitName: "MAXPHYADDR",
  kernel: { start: 1n << 57n, sharedWithUser: [] },
  cacheTypes: EPT_MEMORY_TYPES,
  deviceCacheTypes: ["UC", "WC"],
  cacheIndexOf: ({ patIndex = 0 }) => patIndex,
  rootAddress: (value) => value & 0x000f_ffff_ffff_f000n,
  reservedCauses: () => ["bits that EPT reserves, or rights that it does not know"],
  absentContent: (raw) =>
    raw === 0n ? { kind: "empty" } : { kind: "swap", type: 0, offset: raw >> 12n },
};
