import type { PageTableEntry } from "../translate/entry.ts";
import type { DecidingLevels, LeafRights, Rights } from "../translate/rights.ts";
import type { Regime } from "../translate/regime.ts";
import type { Expectation } from "./expectation.ts";
import type { Mismatch, VerdictKind } from "./verdict.ts";

/** A page of a range and its judgement. */
export interface JudgedPageOfRange {
  /** Which kind of record this is. */
  readonly kind: "page";
  /** The first linear address of the page that lies in the range. */
  readonly address: bigint;
  /** How many bytes of the page lie in the range. */
  readonly lengthBytes: number;
  /** The size of the page in bytes. */
  readonly pageSizeBytes: number;
  /** The guest-physical address that `address` translates to. */
  readonly physicalAddress: bigint;
  /** The entry that maps the page. */
  readonly entry: PageTableEntry;
  /** What that entry says. */
  readonly leaf: LeafRights;
  /** What all levels allow together. */
  readonly effective: Rights;
  /** The level that decides each right. */
  readonly decidedBy: DecidingLevels;
  /** Whether the expectation holds. */
  readonly verdict: VerdictKind;
  /** Why, in one sentence. */
  readonly reason: string;
  /** Each right that is not as expected. */
  readonly mismatches: readonly Mismatch[];
}

/** Why there is no page to judge. */
export type GapCause =
  /** No page is mapped: an entry on the way is not present. */
  | "notPresent"
  /** An entry on the way sets reserved bits. */
  | "reservedBits"
  /** A table could not be read: whether pages are mapped is not known. */
  | "unreadable"
  /** The guest changed the tables while they were read. */
  | "changed"
  /** These are not addresses in the paging mode. */
  | "nonCanonical"
  /** There are no tables: paging is off, or the vCPU does not translate by the guest's tables. */
  | "noTables"
  /** MAXPHYADDR is not known, and the page lies so high that every access may fault. */
  | "beyondKnown"
  /** The listing ended, as it had visited as many tables as it may. */
  | "truncated";

/** A part of a range without a page to judge. */
export interface JudgedGap {
  /** Which kind of record this is. */
  readonly kind: "gap";
  /** The first linear address of it. */
  readonly address: bigint;
  /** Its length in bytes, a multiple of 4096. */
  readonly lengthBytes: number;
  /** Why there is no page. */
  readonly cause: GapCause;
  /** The first entry that ends the way, if it is not empty. */
  readonly entry?: PageTableEntry;
  /** `inconclusive`, or `pass` where no page was expected and none is known to be. */
  readonly verdict: VerdictKind;
  /** Why, in one sentence. */
  readonly reason: string;
}

/** A part of a range that was judged. */
export type JudgedPart = JudgedPageOfRange | JudgedGap;

/** The judgement of a range. */
export interface RangeVerdict {
  /** `fail` if a page fails; else `inconclusive` if a page could not be judged; else `pass`. */
  readonly verdict: VerdictKind;
  /** The first linear address, rounded down to a page. */
  readonly address: bigint;
  /** The length in bytes, rounded up to a page. */
  readonly lengthBytes: number;
  /** The regime by which they were looked up. */
  readonly regime: Regime;
  /** The paging mode. */
  readonly mode: string;
  /** The guest-physical address of the top table. */
  readonly root: bigint;
  /** What was expected of each page. */
  readonly expectation: Expectation;
  /** How many pages were judged, a large page counting once; where none is mapped, 4 KiB count as one. */
  readonly pages: number;
  /** How many of them are as expected. */
  readonly passed: number;
  /** How many are not. */
  readonly failed: number;
  /** How many could not be judged, most often as they are not mapped. */
  readonly inconclusive: number;
  /** How many pages of 4 KiB the range has, whatever pages map it. */
  readonly smallPages: number;
  /** The address of the first page that is not as expected, or null. */
  readonly firstFailure: bigint | null;
  /** The first pages that are not as expected. */
  readonly failures: readonly JudgedPageOfRange[];
  /** The first runs of addresses that could not be judged. */
  readonly gaps: readonly JudgedGap[];
  /** How many such runs there are. */
  readonly gapCount: number;
  /** How many tables were visited. */
  readonly tables: number;
}
