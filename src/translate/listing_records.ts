import type { MemoryReadFailure } from "../memory/physical_memory.ts";
import type { NotPresentContent, PageTableEntry } from "./entry.ts";
import type { DecidingLevels, LeafRights, Rights, RightsSoFar } from "./rights.ts";

/** The addresses that a record of a listing is about. They may reach past the range asked for. */
export interface ListedSpan {
  /** The first linear address, sign-extended. */
  readonly address: bigint;
  /** How many bytes of linear addresses. */
  readonly lengthBytes: number;
}

/** A page that is mapped. */
export interface ListedPage extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "page";
  /** The guest-physical address of the page, or of its part that the entry maps. */
  readonly physicalAddress: bigint;
  /** The size of the page in bytes, where it is not `lengthBytes`: several entries map it. */
  readonly pageSizeBytes?: number;
  /** The entry that maps it. */
  readonly entry: PageTableEntry;
  /** What that entry says. Pages that are alike share this object, and the next two. */
  readonly leaf: LeafRights;
  /** What all levels allow together. */
  readonly effective: Rights;
  /** The level that decides each right. */
  readonly decidedBy: DecidingLevels;
}

/** An entry that is not present although it is not empty: swapped out, `PROT_NONE`. Only if asked for. */
export interface ListedNotPresent extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "notPresent";
  /** The entry. */
  readonly entry: PageTableEntry;
  /** What Linux keeps in it. */
  readonly content: NotPresentContent;
}

/** Entries with bits that are reserved for the same cause, one after the other: no access gets past. */
export interface ListedReservedBits extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "reservedBits";
  /** The first entry; its `reservedBits` tells which. */
  readonly entry: PageTableEntry;
  /** How many entries there are. */
  readonly entries: number;
}

/** A table that could not be read, so that nothing is known of its addresses. */
export interface ListedUnreadable extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "unreadable";
  /** The table's level. */
  readonly level: number;
  /** The guest-physical address of the table. */
  readonly table: bigint;
  /** `outsideRam` if there is no RAM or ROM: the tables are corrupt. */
  readonly failure: MemoryReadFailure;
  /** The entry that points to it; none for the root. */
  readonly entry?: PageTableEntry;
}

/** A table that was listed before, at the same level and with the same rights: look there. */
export interface ListedShared extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "shared";
  /** The table's level. */
  readonly level: number;
  /** The guest-physical address of the table. */
  readonly table: bigint;
  /** The linear address at which its contents were listed: each offset there holds here too. */
  readonly sharedWith: bigint;
  /** The entry that points to it. */
  readonly entry: PageTableEntry;
}

/** An entry that points to a table, whose contents follow. Only if asked for. */
export interface ListedTable extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "table";
  /** The entry. */
  readonly entry: PageTableEntry;
  /** What is left of the rights after it. */
  readonly rights: RightsSoFar;
}

/**
 * Addresses whose entries were not what they had been when they were read again: the guest was changing
 * its tables. Only with `recheck`.
 */
export interface ListedChanged extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "changed";
}

/** The listing ended early, as it had visited as many tables as it may. */
export interface ListedTruncated extends ListedSpan {
  /** Which kind of record this is. */
  readonly kind: "truncated";
  /** How many tables were visited. */
  readonly tables: number;
}

/** What a listing of page tables is made of. */
export type Listed =
  | ListedPage
  | ListedNotPresent
  | ListedReservedBits
  | ListedUnreadable
  | ListedShared
  | ListedTable
  | ListedChanged
  | ListedTruncated;
