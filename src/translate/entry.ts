/** What an entry is. */
export type EntryKind = "notPresent" | "table" | "page";

/**
 * The flags of an entry by name: `user`, `writable`, `executable` or `executeDisable`, `readable`,
 * `accessed`, `dirty`, `global` and the architecture's own. A flag that this kind of entry does not have
 * is false.
 */
export type EntryFlags = Readonly<Record<string, boolean>>;

/** One entry of a page table, decoded by the rules of its level. */
export interface PageTableEntry {
  /** The level of the table that holds it, by the architecture's own count. */
  readonly level: number;
  /** The table's name, such as `PT`. */
  readonly name: string;
  /** The entry's index in its table, from 0. */
  readonly index: number;
  /** The guest-physical address of the entry itself. */
  readonly address: bigint;
  /** The entry as it stands in memory: 64 bits, or 32. */
  readonly raw: bigint;
  /** Whether it points to a table, maps a page, or neither. */
  readonly kind: EntryKind;
  /**
   * The named bits. They mean something only if the entry is present. Entries of one level that are
   * alike in all but their frame share this object, so that lists of many can be grouped by it.
   */
  readonly flags: EntryFlags;
  /** The guest-physical address of the next table or of the page. */
  readonly frame: bigint;
  /** False for entries that take no right away, as they have no bit for any: PAE's top entries. */
  readonly hasRights: boolean;
  /** The bits that are set although this kind of entry reserves them; 0 if none. */
  readonly reservedBits: bigint;
  /** In a confidential guest: whether the entry marks its frame private. */
  readonly private?: boolean;
  /** The page has 2^this bytes, where that is not what an entry of this level covers. */
  readonly pageShift?: number;
  /** How many levels are left out between this entry and the table that it points to. */
  readonly skippedLevels?: number;
}

/** One field of a page-table entry. */
export interface BitField {
  /** The lowest bit of the field; bit 0 is the lowest of the entry. */
  readonly low: number;
  /** How many bits the field has. */
  readonly width: number;
  /** The architecture's name: `P`, `R/W`, `U/S`, … */
  readonly name: string;
  /** Linux's name (arch/x86/include/asm/pgtable_types.h and its like), where it has one. */
  readonly linuxName?: string;
  /** What the field says, in a few words. For one bit: what it says when set. */
  readonly meaning: string;
  /** For one bit: what it says when clear. */
  readonly whenClear?: string;
  /** The decoded flag that this bit feeds. */
  readonly flag?: string;
  /** For a part of the frame: the physical address bit that the field's lowest bit holds. */
  readonly addressBit?: number;
}

/** How the tables of one level are laid out. */
export interface LevelFormat {
  /** The level's number, by the architecture's own count. */
  readonly level: number;
  /** The table's name. */
  readonly name: string;
  /** The name of one of its entries, such as `PTE`. */
  readonly entryName: string;
  /** The lowest bit of the linear address that indexes the table: an entry covers 2^shift bytes. */
  readonly shift: number;
  /** How many bits of the linear address index the table: it has 2^indexBits entries. */
  readonly indexBits: number;
  /** The fields of an entry that points to the next table; none at the last level. */
  readonly table?: readonly BitField[];
  /** The fields of an entry that maps a page; none where no page of that size exists. */
  readonly page?: readonly BitField[];
}

/** One level of a regime, prepared for decoding many entries. */
export interface LevelDecoder {
  /** The level's format. */
  readonly format: LevelFormat;
  /** How many bytes an entry has. */
  readonly entryBytes: 4 | 8;
  /** Says what a raw entry is. */
  kindOf(raw: bigint): EntryKind;
  /** Decodes a raw entry found at a guest-physical address. */
  decode(raw: bigint, address: bigint, index: number): PageTableEntry;
  /** The fields of a raw entry, as if it were present, from bit 0 up; they cover every bit once. */
  fieldsOf(raw: bigint): readonly BitField[];
}

/**
 * What a kernel keeps in an entry that is not present. The processor ignores all other bits of such an
 * entry, so another kernel may mean something else by them.
 */
export type NotPresentContent =
  /** Nothing: never touched, or unmapped. */
  | { readonly kind: "empty" }
  /** `PROT_NONE`, or in an area that allows access a page marked for NUMA balancing: it keeps its frame. */
  | {
    readonly kind: "protNone";
    readonly frame: bigint;
    /** Which of these, where the area is known. */
    readonly isHint?: boolean;
  }
  /** Swapped out: which swap device, and which page of it. */
  | {
    readonly kind: "swap";
    readonly type: number;
    readonly offset: bigint;
    /** The device's or file's name, where the kernel is known. */
    readonly device?: string;
    /** What is kept of the page's own marks; only those that are set. */
    readonly marks?: readonly SwapMark[];
  }
  /** No page, but a mark that the kernel left for the next access. */
  | { readonly kind: "marker"; readonly markers: readonly EntryMarker[] }
  /**
   * A page that is being moved to another frame, one that the memory controller reported as poisoned, or
   * one in a device's own memory. Which of these a type means depends on how the kernel was built: `states`
   * are those that it may mean, where the kernel is known.
   */
  | {
    readonly kind: "special";
    readonly type: number;
    readonly frame: bigint;
    readonly states?: readonly SpecialState[];
  };

/**
 * What a special entry says of its page: reported as poisoned by the memory controller, being moved, in a
 * device's own memory, lent to a device, or lost when it was read back from swap.
 */
export type SpecialState =
  | "hwpoison"
  | "migration"
  | "device-private"
  | "device-exclusive"
  | "swapin-error";

/** Marks of a page that its swap entry keeps: exclusive to one process, userfaultfd's, soft dirty. */
export type SwapMark = "exclusive" | "uffd-wp" | "soft-dirty";

/** What a marker says: write-protected by userfaultfd, lost to an error, or a guard (MADV_GUARD_INSTALL). */
export type EntryMarker = "uffd-wp" | "poisoned" | "guard";

/**
 * The index that an address selects in a table of a level.
 *
 * @example Usage
 * ```ts
 * import { PAGING_MODES } from "@pagewalk/pagewalk";
 * import { tableIndex } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const indexes = PAGING_MODES["4-level"].levels.map((l) => tableIndex(0x7f1234567000n, l));
 * assertEquals(indexes, [254, 72, 418, 359]);
 * ```
 */
export function tableIndex(address: bigint, format: LevelFormat): number {
  return Number((address >> BigInt(format.shift)) & ((1n << BigInt(format.indexBits)) - 1n));
}

/**
 * The lowest type that may be none of swap but special: of 32 types the last are for device memory (4 at
 * most), migration (3), poison and markers (include/linux/swap.h: MAX_SWAPFILES). Nobody has 23 swap
 * devices.
 */
const FIRST_SPECIAL = 23;
/**
 * Markers have the last type since 6.2, and the one before from 5.19 to 6.1 (SWP_SWAPIN_ERROR has the
 * last). No device's or moving page is among the first 8 frames.
 */
const MARKER_TYPES: readonly number[] = [30, 31];
/** PTE_MARKER_UFFD_WP, PTE_MARKER_POISONED, PTE_MARKER_GUARD (include/linux/swapops.h), bit 0 first. */
const MARKERS: readonly EntryMarker[] = ["uffd-wp", "poisoned", "guard"];

/**
 * What the type and the offset of one of Linux's swap entries say, which are the same numbers on every
 * architecture.
 *
 * @param marks those of the page that the entry keeps
 * @param frameBits SWP_PFN_BITS: above a frame's number an entry keeps whether the page was young and
 * dirty (since 6.0)
 */
export function swapContent(
  type: number,
  offset: bigint,
  marks: readonly SwapMark[],
  frameBits: number,
): NotPresentContent {
  if (MARKER_TYPES.includes(type) && offset > 0n && offset < 1n << BigInt(MARKERS.length)) {
    return { kind: "marker", markers: setOf(MARKERS, offset) };
  }
  if (type >= FIRST_SPECIAL) {
    return { kind: "special", type, frame: BigInt.asUintN(frameBits, offset) << 12n };
  }
  return { kind: "swap", type, offset, ...marks.length > 0 && { marks } };
}

/** The names whose bits are set, bit 0 first. */
export function setOf<T>(names: readonly T[], value: bigint): T[] {
  return names.filter((_, i) => value >> BigInt(i) & 1n);
}

/**
 * What a verdict rests on is read again, so often. One reading more is not enough against a guest that
 * changes its tables without end: each further one leaves at most a third of what got past the others
 * (measured in tests/verify/flipping_test.ts).
 */
export const REREADINGS = 2;

/** Whether an entry still says what it said, apart from the bits that hardware sets whenever it likes. */
export function saysTheSame(before: bigint, now: bigint, hardwareBits: bigint): boolean {
  return ((before ^ now) & ~hardwareBits) === 0n;
}

/**
 * The items in an order by chance. What is read again is read in another order each time, so that a guest
 * which changes its tables at a steady pace does not stay in step with the readings.
 */
export function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!];
  }
  return mixed;
}
