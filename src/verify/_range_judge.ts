import { describeRootOutsideRam } from "../translate/address_space.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { intervalsOf, type Regime } from "../translate/regime.ts";
import type { NotPresentContent, PageTableEntry } from "../translate/entry.ts";
import {
  describeMayBeBeyond,
  describeReservedBits,
  mayBeBeyond,
} from "../translate/reserved_bits.ts";
import type { Listed, ListedPage } from "../translate/listing_records.ts";
import { describeNoTables, type NoTables } from "../translate/no_tables.ts";
import type { LeafRights } from "../translate/rights.ts";
import { wholePages } from "./_whole_pages.ts";
import { completeExpectation, type Expectation, requireRights } from "./expectation.ts";
import type { GapCause, JudgedGap, JudgedPart } from "./range_verdict.ts";
import { CHANGED, judgePage } from "./verdict.ts";

/** Turns what a listing finds into judgements, and what it does not mention into gaps. */
export class RangeJudge {
  /** The first address of the range, and the first behind it. */
  readonly start: bigint;
  readonly end: bigint;
  readonly #regime: Regime;
  readonly #expectation: ReturnType<typeof completeExpectation>;
  /** Pages that are alike share their rights' object, so each kind is judged once. */
  readonly #judged = new Map<LeafRights, ReturnType<typeof judgePage>>();
  /** Everything below was judged. */
  #at: bigint;
  #gap: JudgedGap | null = null;
  #knownBits: bigint | null = null;

  constructor(regime: Regime, range: Required<AddressRange>, expectation: Expectation) {
    ({ start: this.start, end: this.end } = wholePages(range));
    this.#regime = regime;
    this.#expectation = completeExpectation(expectation);
    requireRights(regime, this.#expectation.rights);
    this.#at = this.start;
  }

  /** Whether it takes MAXPHYADDR to judge one of these records. */
  needsPhysicalBits(records: readonly Listed[]): boolean {
    const { assuredFrameBits } = this.#regime;
    if (assuredFrameBits === undefined || this.#knownBits !== null) return false;
    return records.some((r) => r.kind === "page" && mayBeBeyond(this.#regime, r.entry.frame));
  }

  /** Takes MAXPHYADDR. */
  learnPhysicalBits(bits: number): void {
    this.#knownBits = BigInt(bits);
  }

  /** Takes the next record, and adds the parts that it completes. */
  take(record: Listed, parts: JudgedPart[]): void {
    const address = record.address > this.start ? record.address : this.start;
    const recordEnd = record.address + BigInt(record.lengthBytes);
    const end = recordEnd < this.end ? recordEnd : this.end;
    this.#nothingUntil(address, parts);
    switch (record.kind) {
      case "page":
        return this.#page(record, address, end, parts);
      case "notPresent":
        return this.#noPage("notPresent", contentReason(record.content), end, parts, record.entry);
      case "reservedBits":
        return this.#noPage(
          "reservedBits",
          `the ${record.entry.name} entry ${describeReservedBits(record.entry, this.#regime)}`,
          end,
          parts,
          record.entry,
        );
      case "unreadable": {
        const reason = record.failure !== "outsideRam"
          ? "a table could not be read"
          : record.entry === undefined
          ? describeRootOutsideRam(record.table)
          : "corrupt tables: an entry points to a table outside RAM";
        return this.#noPage("unreadable", reason, end, parts, record.entry);
      }
      case "changed":
        return this.#noPage("changed", CHANGED, end, parts);
      case "truncated": {
        const reason = `the listing ended after ${record.tables} tables: raise maxTables`;
        return this.#noPage("truncated", reason, this.end, parts);
      }
      case "table":
      case "shared":
        throw new Error("A range is listed without tables and with what is shared expanded");
    }
  }

  /** Takes that there are no tables: nothing of the range can be judged. */
  noTables(why: NoTables, parts: JudgedPart[]): void {
    this.#noPage("noTables", describeNoTables(why), this.end, parts);
    this.#endGap(parts);
  }

  /** Adds the parts that are left. */
  finish(parts: JudgedPart[]): void {
    this.#nothingUntil(this.end, parts);
    this.#endGap(parts);
  }

  #page(
    page: ListedPage,
    address: bigint,
    end: bigint,
    parts: JudgedPart[],
  ): void {
    const beyond = this.#beyond(page);
    if (beyond !== null) return this.#noPage(...beyond, end, parts, page.entry);
    this.#endGap(parts);
    this.#at = end;
    const { entry, leaf, effective, decidedBy } = page;
    parts.push({
      kind: "page",
      address,
      lengthBytes: Number(end - address),
      pageSizeBytes: page.pageSizeBytes ?? page.lengthBytes,
      physicalAddress: page.physicalAddress + (address - page.address),
      entry,
      leaf,
      effective,
      decidedBy,
      ...this.#judge(page),
    });
  }

  /** Why a page that lies too high is not judged, or null. */
  #beyond({ entry }: ListedPage): [GapCause, string] | null {
    const { frame } = entry;
    const { assuredFrameBits, rules: { frameLimitName } } = this.#regime;
    if (this.#knownBits !== null) {
      if (frame >> this.#knownBits === 0n) return null;
      return [
        "reservedBits",
        `the ${entry.name} entry is present but sets address bits at or above ${frameLimitName} ` +
        `(${this.#knownBits})`,
      ];
    }
    if (assuredFrameBits === undefined || !mayBeBeyond(this.#regime, frame)) return null;
    return [
      "beyondKnown",
      describeMayBeBeyond(this.#regime, frame & -(1n << BigInt(assuredFrameBits))),
    ];
  }

  #judge(page: Pick<ListedPage, "leaf" | "effective" | "decidedBy">): ReturnType<typeof judgePage> {
    let judged = this.#judged.get(page.leaf);
    if (!judged) {
      const { leaf, effective, decidedBy } = page;
      judged = judgePage({ regime: this.#regime, leaf, effective, decidedBy }, this.#expectation);
      if (this.#judged.size >= 4096) this.#judged.clear();
      this.#judged.set(leaf, judged);
    }
    return judged;
  }

  /** Between records nothing is mapped, and in the middle of the address space nothing can be. */
  #nothingUntil(address: bigint, parts: JudgedPart[]): void {
    const intervals = this.#regime.spans.flatMap(intervalsOf);
    while (this.#at < address) {
      const inside = intervals.find(({ first, last }) => first <= this.#at && this.#at <= last);
      const next = intervals.find(({ first }) => first > this.#at);
      const border = inside ? inside.last + 1n : next?.first ?? 1n << 64n;
      const end = border < address ? border : address;
      if (inside) this.#noPage("notPresent", "no page is mapped", end, parts);
      else {
        this.#noPage(
          "nonCanonical",
          `not an address of ${this.#regime.mode} paging`,
          end,
          parts,
        );
      }
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

function contentReason(content: NotPresentContent): string {
  switch (content.kind) {
    case "empty":
      return "no page is mapped";
    case "protNone":
      return "the page is not present: PROT_NONE, or marked for NUMA balancing";
    case "swap":
      return "the page is not present: swapped out";
    case "marker":
      return `no page, but a marker: ${content.markers.join(", ")}`;
    case "special":
      return "the page is not present: it is being moved, poisoned, or in a device's memory";
  }
}
