import type { VerdictKind } from "../verify/verdict.ts";
import type { VfioJudgement, VfioSource } from "./judgement.ts";

/** How many of a source have which verdict. */
export type VfioCounts = Record<VerdictKind, number>;

/** What a source came to. */
export interface VfioSourceTally {
  /** Was it read, could it not be, or was it not asked for? */
  state: "read" | "unavailable" | "unasked";
  /** Why it cannot be read, or what should be known of it; empty if nothing. */
  reason: string;
  /** The log's records, or the ranges. */
  readonly items: VfioCounts;
  /** The pages that these have. */
  readonly pages: VfioCounts;
  /** Parts of it that could not be read. */
  unread: number;
}

/**
 * Sums up the judgements of {@linkcode verifyVfio}. Nothing is left out: what was judged, what could not
 * be, and the sources that were not looked at.
 *
 * @example Usage
 * ```ts
 * import { VfioTally } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new VfioTally().verdict, "inconclusive"); // nothing was judged
 * ```
 */
export class VfioTally {
  /** Each source. */
  readonly sources: Readonly<Record<VfioSource, VfioSourceTally>> = {
    log: emptySource(),
    pinned: emptySource(),
    device: emptySource(),
    iommu: emptySource(),
  };

  /** Counts one. */
  add(judgement: VfioJudgement): void {
    switch (judgement.kind) {
      case "source": {
        const { state, reason } = judgement;
        Object.assign(this.sources[judgement.source], { state, reason });
        break;
      }
      case "unread":
        this.sources[judgement.source].unread++;
        break;
      case "logged":
        this.sources.log.items[judgement.verdict]++;
        this.sources.log.pages[judgement.verdict]++;
        break;
      case "dma": {
        const { items, pages } = this.sources.iommu;
        items[judgement.verdict]++;
        pages[judgement.verdict] += judgement.lengthBytes / 4096;
        break;
      }
      default: {
        const { kind, verdict, range } = judgement;
        const { items, pages } = this.sources[kind];
        items[verdict]++;
        // One that did not hold still has no counts to go by.
        const isSteady = verdict === range.verdict;
        pages.pass += isSteady ? range.passed : 0;
        pages.fail += isSteady ? range.failed : 0;
        pages.inconclusive += isSteady ? range.inconclusive : range.pages;
      }
    }
  }

  /** `fail` if anything fails; else `inconclusive` if anything was not judged, or nothing was; else `pass`. */
  get verdict(): VerdictKind {
    const all = Object.values(this.sources);
    const sum = (count: (source: VfioSourceTally) => number) =>
      all.reduce((total, source) => total + count(source), 0);
    if (sum(({ items }) => items.fail) > 0) return "fail";
    if (sum(({ items, unread }) => items.inconclusive + unread) > 0) return "inconclusive";
    return sum(({ items }) => items.pass) > 0 ? "pass" : "inconclusive";
  }
}

function emptySource(): VfioSourceTally {
  const none = { pass: 0, fail: 0, inconclusive: 0 };
  return { state: "unasked", reason: "", items: { ...none }, pages: { ...none }, unread: 0 };
}
