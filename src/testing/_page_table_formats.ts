/**
 * The formats of x86 paging-structure entries, copied by hand from the tables of the Intel SDM,
 * volume 3A, chapter 4 ("Paging"). They are the oracle for `src/translate` and share nothing with it.
 */

/** The paging modes of SDM 4.1.1 that translate. */
export type PageTableMode = "32-bit" | "pae" | "4-level" | "5-level";

/** The sizes of page that some mode has. */
export type PageSize = "4K" | "2M" | "4M" | "1G";

/** One level of one mode's tables. Levels count from 1, the table whose entries map 4 KiB. */
export interface LevelFormat {
  level: number;
  /** The lowest bit of the linear address that indexes this level's table. */
  shift: bigint;
  /** The number of entries in a table of this level. */
  entries: number;
  /** The page that an entry of this level may map; absent where an entry always names a table. */
  page?: PageSize;
  /** False for the PDPTEs of PAE paging, which have no R/W, U/S and XD bits (SDM table 4-8). */
  hasRights: boolean;
}

/** One mode's tables, from the root down to level 1. */
export interface ModeFormat {
  entryBytes: 4 | 8;
  /** The number of linear-address bits that are translated. */
  linearBits: number;
  levels: LevelFormat[];
}

export const PAGE_BYTES: Record<PageSize, bigint> = {
  "4K": 1n << 12n, // SDM figure 4-2, 4-6, 4-8
  "2M": 1n << 21n, // figure 4-5, 4-9
  "4M": 1n << 22n, // figure 4-3
  "1G": 1n << 30n, // figure 4-10
};

/** SDM 4.3 (32-bit), 4.4 (PAE), 4.5 (4-level and 5-level). */
export const FORMATS: Record<PageTableMode, ModeFormat> = {
  "32-bit": {
    entryBytes: 4,
    linearBits: 32,
    levels: [
      { level: 2, shift: 22n, entries: 1024, page: "4M", hasRights: true },
      { level: 1, shift: 12n, entries: 1024, page: "4K", hasRights: true },
    ],
  },
  "pae": {
    entryBytes: 8,
    linearBits: 32,
    levels: [
      { level: 3, shift: 30n, entries: 4, hasRights: false },
      { level: 2, shift: 21n, entries: 512, page: "2M", hasRights: true },
      { level: 1, shift: 12n, entries: 512, page: "4K", hasRights: true },
    ],
  },
  "4-level": {
    entryBytes: 8,
    linearBits: 48,
    levels: [
      { level: 4, shift: 39n, entries: 512, hasRights: true },
      { level: 3, shift: 30n, entries: 512, page: "1G", hasRights: true },
      { level: 2, shift: 21n, entries: 512, page: "2M", hasRights: true },
      { level: 1, shift: 12n, entries: 512, page: "4K", hasRights: true },
    ],
  },
  "5-level": {
    entryBytes: 8,
    linearBits: 57,
    levels: [
      { level: 5, shift: 48n, entries: 512, hasRights: true },
      { level: 4, shift: 39n, entries: 512, hasRights: true },
      { level: 3, shift: 30n, entries: 512, page: "1G", hasRights: true },
      { level: 2, shift: 21n, entries: 512, page: "2M", hasRights: true },
      { level: 1, shift: 12n, entries: 512, page: "4K", hasRights: true },
    ],
  },
};

// Bits with one meaning wherever they exist: SDM tables 4-4 to 4-6, 4-8 to 4-11, 4-14 to 4-20.
export const PRESENT = 1n << 0n;
export const WRITABLE = 1n << 1n;
export const USER = 1n << 2n;
export const PWT = 1n << 3n;
export const PCD = 1n << 4n;
export const ACCESSED = 1n << 5n;
export const DIRTY = 1n << 6n;
/** PS: this entry maps a page although its level is above 1. At level 1 the same bit is PAT. */
export const PAGE_SIZE = 1n << 7n;
export const GLOBAL = 1n << 8n;
export const PAT_AT_LEVEL_1 = 1n << 7n;
export const PAT_OF_LARGE_PAGE = 1n << 12n;
export const NO_EXECUTE = 1n << 63n;
export const KEY_SHIFT = 59n;

/** Bits `high` to `low`, both included, as the SDM writes `high:low`; empty if high < low. */
export function bits(high: number, low: number): bigint {
  return high < low ? 0n : ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

/** Puts the address of a page into an entry that maps a page of this size. */
export function encodeFrame(size: PageSize, pa: bigint): bigint {
  // Table 4-4 (PSE-36): bits 31:22 are address bits 31:22, bits 20:13 are address bits 39:32.
  if (size === "4M") return (pa & bits(31, 22)) | (((pa & bits(39, 32)) >> 32n) << 13n);
  return pa;
}

/** Takes the address of a page out of an entry that maps a page of this size. */
export function decodeFrame(size: PageSize, raw: bigint, maxPhysAddrBits: number): bigint {
  const top = maxPhysAddrBits - 1;
  switch (size) {
    case "4M":
      return (raw & bits(31, 22)) | (((raw & bits(20, 13)) >> 13n) << 32n);
    case "1G":
      return raw & bits(top, 30);
    case "2M":
      return raw & bits(top, 21);
    case "4K":
      return raw & bits(top, 12);
  }
}

/** The highest physical address plus 1 that a page of this size can have in this mode. */
export function physicalLimit(
  mode: PageTableMode,
  size: PageSize,
  maxPhysAddrBits: number,
): bigint {
  if (mode === "32-bit" && size === "4K") return 1n << 32n;
  // Table 4-4, note 2: PSE-36 has at most 40 bits of physical address.
  if (size === "4M") return 1n << BigInt(Math.min(maxPhysAddrBits, 40));
  return 1n << BigInt(maxPhysAddrBits);
}

/** The bits that must be 0 in a present entry, or else its use is a page fault with RSVD set. */
export function reservedBits(
  mode: PageTableMode,
  level: LevelFormat,
  raw: bigint,
  cpu: { maxPhysAddrBits: number; nxEnabled: boolean },
): bigint {
  const m = cpu.maxPhysAddrBits;
  const large = level.level > 1 && (raw & PAGE_SIZE) !== 0n && level.page !== undefined;
  if (mode === "32-bit") {
    // Table 4-4: bits 21:(M-19) of a PDE that maps a 4-MByte page, M being at most 40.
    return large ? bits(21, Math.min(m, 40) - 19) : 0n;
  }
  if (mode === "pae") {
    // Table 4-8: bits 2:1, 8:5 and 63:M of a PDPTE. Bit 5 is let off: QEMU's TCG sets it, as if it
    // were A, in every PDPTE that it walks (seen on 7.2.22), so a guest's tables do have it.
    if (level.level === 3) return bits(2, 1) | bits(8, 6) | bits(63, m);
    // Tables 4-9 to 4-11: bits 62:M; bit 63 while IA32_EFER.NXE is 0; 20:13 of a 2-MByte page.
    return bits(62, m) | (cpu.nxEnabled ? 0n : NO_EXECUTE) | (large ? bits(20, 13) : 0n);
  }
  // Tables 4-14 to 4-20: bits 51:M; bit 63 while NXE is 0; PS of a PML5E and a PML4E;
  // 29:13 of a 1-GByte page and 20:13 of a 2-MByte page.
  const belowFrame = !large ? 0n : level.page === "1G" ? bits(29, 13) : bits(20, 13);
  const noPage = level.level > 3 ? PAGE_SIZE : 0n;
  return bits(51, m) | (cpu.nxEnabled ? 0n : NO_EXECUTE) | noPage | belowFrame;
}
