import { isCanonical } from "../core/canonical.ts";
import type { PagingContext, PagingModeName } from "../cpu/paging_context.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { PageTableEntry } from "../paging/entry.ts";
import { type AddressRange, parseRange } from "../paging/address_range.ts";
import { type ListOptions, listTables } from "../paging/listing.ts";
import type { Listed, ListedPage } from "../paging/listing_records.ts";
import { PAGING_MODES } from "../paging/modes.ts";
import {
  type DecidingLevels,
  type LeafRights,
  type Rights,
  WITHOUT_PAGING,
} from "../paging/rights.ts";
import { completeExpectation, type Expectation, USER_CLEARED } from "./expectation.ts";
import { judgePage, type Mismatch, type VerdictKind } from "./verdict.ts";

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
  /** The entry that maps the page; none with paging off. */
  readonly entry?: PageTableEntry;
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
  /** These are no addresses in the paging mode. */
  | "nonCanonical"
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
  /** The paging mode. */
  readonly mode: PagingModeName;
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

/** Options of {@linkcode verifyRange} and {@linkcode judgeRange}. */
export interface VerifyRangeOptions
  extends Pick<ListOptions, "signal" | "onProgress" | "maxTables" | "userRoot"> {
  /**
   * Keep at most so many failures, and as many gaps. All are counted.
   *
   * @default {100}
   */
  keep?: number;
  /** Called with every part as it is judged, in address order: for reports that name every page. */
  onParts?: (parts: readonly JudgedPart[]) => void;
}

const PAGE_BYTES = 4096n;

/**
 * Judges every page of a range, whatever its size. Each table is read once, and the memory used does
 * not grow with the range.
 *
 * @throws {InvalidArgumentError} if the range or the expectation cannot be used
 *
 * @example Usage
 * ```ts
 * import { pagingContext, verifyRange } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const range = { start: 0x7f1234567000n, lengthBytes: 4096 };
 * const verdict = await verifyRange(guest.memory, context, range, { user: false });
 * assertEquals([verdict.verdict, verdict.pages, verdict.passed], ["pass", 1, 1]);
 * ```
 */
export async function verifyRange(
  memory: PhysicalMemory,
  context: PagingContext,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: VerifyRangeOptions = {},
): Promise<RangeVerdict> {
  const tally = new RangeTally(context, range, expectation, options.keep ?? 100);
  const parts = judgeRange(memory, context, range, expectation, {
    ...options,
    onProgress(progress) {
      tally.tables = progress.tables;
      options.onProgress?.(progress);
    },
  });
  for await (const batch of parts) {
    for (const part of batch) tally.add(part);
    options.onParts?.(batch);
  }
  return tally.verdict();
}

/**
 * Judges a range part by part, in address order and in batches.
 *
 * @throws {InvalidArgumentError} if the range or the expectation cannot be used
 *
 * @example Usage
 * ```ts
 * import { judgeRange, pagingContext } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const range = { start: 0x7f1234567000n, lengthBytes: 8192 };
 * for await (const parts of judgeRange(guest.memory, context, range)) {
 *   assertEquals(parts.map((part) => part.verdict), ["pass", "pass"]);
 * }
 * ```
 */
export async function* judgeRange(
  memory: PhysicalMemory,
  context: PagingContext,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: VerifyRangeOptions = {},
): AsyncGenerator<JudgedPart[]> {
  const judge = new RangeJudge(context, range, expectation);
  const { keep: _keep, onParts: _onParts, ...listOptions } = options;
  const { start, end } = judge;
  const whole = { start, lengthBytes: Number(end - start) };
  const listing = listTables(memory, context, whole, {
    ...listOptions,
    notPresent: true,
    expandShared: true,
  });
  for await (const batch of listing) {
    const parts: JudgedPart[] = [];
    for (const record of batch) judge.take(record, parts);
    if (parts.length > 0) yield parts;
  }
  const parts: JudgedPart[] = [];
  judge.finish(parts);
  if (parts.length > 0) yield parts;
}

/** The pages that a range touches, as whole pages of 4 KiB. */
function wholePages(range: Required<AddressRange>): { start: bigint; end: bigint } {
  const { start, last } = parseRange(range);
  return { start: start & ~(PAGE_BYTES - 1n), end: (last | (PAGE_BYTES - 1n)) + 1n };
}

/** Turns what a listing finds into judgements, and what it does not mention into gaps. */
class RangeJudge {
  readonly start: bigint;
  readonly end: bigint;
  readonly #mode: PagingModeName;
  readonly #expectation: ReturnType<typeof completeExpectation>;
  /** Pages that are alike share their rights' object, so each kind is judged once. */
  readonly #judged = new Map<LeafRights, ReturnType<typeof judgePage>>();
  /** Everything below was judged. */
  #at: bigint;
  #gap: JudgedGap | null = null;

  constructor(context: PagingContext, range: Required<AddressRange>, expectation: Expectation) {
    ({ start: this.start, end: this.end } = wholePages(range));
    this.#mode = context.mode;
    this.#expectation = completeExpectation(expectation);
    this.#at = this.start;
  }

  take(record: Listed, parts: JudgedPart[]): void {
    const address = record.address > this.start ? record.address : this.start;
    const recordEnd = record.address + BigInt(record.lengthBytes);
    const end = recordEnd < this.end ? recordEnd : this.end;
    this.#nothingUntil(address, parts);
    switch (record.kind) {
      case "page":
        return this.#page(record, address, end, parts);
      case "identity":
        return this.#page(identityPage(record.lengthBytes), address, end, parts);
      case "notPresent":
        return this.#noPage("notPresent", contentReason(record.content), end, parts, record.entry);
      case "reservedBits":
        return this.#noPage(
          "reservedBits",
          "an entry sets reserved bits",
          end,
          parts,
          record.entry,
        );
      case "unreadable": {
        const reason = record.failure === "outsideRam"
          ? "corrupt tables: an entry points to a table outside RAM"
          : "a table could not be read";
        return this.#noPage("unreadable", reason, end, parts, record.entry);
      }
      case "truncated": {
        const reason = `the listing ended after ${record.tables} tables: raise maxTables`;
        return this.#noPage("truncated", reason, this.end, parts);
      }
      case "table":
      case "shared":
        throw new Error("A range is listed without tables and with what is shared expanded");
    }
  }

  finish(parts: JudgedPart[]): void {
    this.#nothingUntil(this.end, parts);
    this.#endGap(parts);
  }

  #page(
    page: Omit<ListedPage, "entry"> & { entry?: PageTableEntry },
    address: bigint,
    end: bigint,
    parts: JudgedPart[],
  ): void {
    this.#endGap(parts);
    this.#at = end;
    const { entry, leaf, effective, decidedBy } = page;
    parts.push({
      kind: "page",
      address,
      lengthBytes: Number(end - address),
      pageSizeBytes: entry === undefined ? 4096 : page.lengthBytes,
      physicalAddress: page.physicalAddress + (address - page.address),
      ...entry && { entry },
      leaf,
      effective,
      decidedBy,
      ...this.#judge(page),
    });
  }

  #judge(page: Pick<ListedPage, "leaf" | "effective" | "decidedBy">): ReturnType<typeof judgePage> {
    let judged = this.#judged.get(page.leaf);
    if (!judged) {
      const { leaf, effective, decidedBy } = page;
      judged = judgePage({ mode: this.#mode, leaf, effective, decidedBy }, this.#expectation);
      if (this.#judged.size >= 4096) this.#judged.clear();
      this.#judged.set(leaf, judged);
    }
    return judged;
  }

  /** Between records nothing is mapped, and in the middle of the address space nothing can be. */
  #nothingUntil(address: bigint, parts: JudgedPart[]): void {
    const bits = PAGING_MODES[this.#mode].linearAddressBits;
    while (this.#at < address) {
      const valid = isCanonical(this.#at, bits);
      // Addresses stop being valid at the end of the lower half, and are again in the upper half.
      const lowerEnd = bits === 32 ? 1n << 32n : 1n << BigInt(bits - 1);
      const upperStart = bits === 32 ? 1n << 64n : (1n << 64n) - lowerEnd;
      const border = valid ? (this.#at < lowerEnd ? lowerEnd : 1n << 64n) : upperStart;
      const end = border < address ? border : address;
      if (valid) this.#noPage("notPresent", "no page is mapped", end, parts);
      else this.#noPage("nonCanonical", `not an address of ${this.#mode} paging`, end, parts);
    }
  }

  #noPage(
    cause: GapCause,
    reason: string,
    end: bigint,
    parts: JudgedPart[],
    entry?: PageTableEntry,
  ): void {
    const address = this.#at;
    this.#at = end;
    const lengthBytes = Number(end - address);
    const gap = this.#gap;
    if (gap !== null && gap.cause === cause && gap.reason === reason) {
      this.#gap = { ...gap, lengthBytes: gap.lengthBytes + lengthBytes };
      return;
    }
    this.#endGap(parts);
    const isAbsent = cause === "notPresent" || cause === "nonCanonical";
    const verdict = isAbsent && !this.#expectation.present ? "pass" : "inconclusive";
    this.#gap = {
      kind: "gap",
      address,
      lengthBytes,
      cause,
      ...entry && { entry },
      verdict,
      reason,
    };
  }

  #endGap(parts: JudgedPart[]): void {
    if (this.#gap !== null) parts.push(this.#gap);
    this.#gap = null;
  }
}

/** Counts what was judged, and keeps the first of what is not as it should be. */
class RangeTally {
  tables = 0;
  readonly #about: Pick<RangeVerdict, "address" | "lengthBytes" | "mode" | "root" | "expectation">;
  readonly #keep: number;
  readonly #count = { pass: 0, fail: 0, inconclusive: 0 };
  readonly #failures: JudgedPageOfRange[] = [];
  readonly #gaps: JudgedGap[] = [];
  #gapCount = 0;
  #firstFailure: bigint | null = null;

  constructor(
    context: PagingContext,
    range: Required<AddressRange>,
    expectation: Expectation,
    keep: number,
  ) {
    const { start, end } = wholePages(range);
    const { mode, root } = context;
    this.#about = { address: start, lengthBytes: Number(end - start), mode, root, expectation };
    this.#keep = keep;
  }

  add(part: JudgedPart): void {
    // A gap, and the address space with paging off, have no pages of their own: 4 KiB each.
    const isOnePage = part.kind === "page" && part.entry !== undefined;
    this.#count[part.verdict] += isOnePage ? 1 : part.lengthBytes / 4096;
    if (part.kind === "page") {
      if (part.verdict !== "fail") return;
      this.#firstFailure ??= part.address;
      if (this.#failures.length < this.#keep) this.#failures.push(part);
    } else if (part.verdict !== "pass") {
      this.#gapCount++;
      if (this.#gaps.length < this.#keep) this.#gaps.push(part);
    }
  }

  verdict(): RangeVerdict {
    const { pass: passed, fail: failed, inconclusive } = this.#count;
    return {
      verdict: failed > 0 ? "fail" : inconclusive > 0 ? "inconclusive" : "pass",
      ...this.#about,
      pages: passed + failed + inconclusive,
      passed,
      failed,
      inconclusive,
      smallPages: this.#about.lengthBytes / 4096,
      firstFailure: this.#firstFailure,
      failures: this.#failures,
      gaps: this.#gaps,
      gapCount: this.#gapCount,
      tables: this.tables,
    };
  }
}

function contentReason(content: { kind: "empty" | "protNone" | "swap" }): string {
  switch (content.kind) {
    case "empty":
      return "no page is mapped";
    case "protNone":
      return "the page is not present: PROT_NONE, or marked for NUMA balancing";
    case "swap":
      return "the page is not present: swapped out, or on its way";
  }
}

function identityPage(lengthBytes: number): Omit<ListedPage, "entry"> {
  return { kind: "page", address: 0n, lengthBytes, physicalAddress: 0n, ...WITHOUT_PAGING };
}
