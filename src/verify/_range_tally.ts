import type { AddressRange } from "../translate/address_range.ts";
import type { Regime } from "../translate/regime.ts";
import { wholePages } from "./_whole_pages.ts";
import type { Expectation } from "./expectation.ts";
import type { JudgedGap, JudgedPageOfRange, JudgedPart, RangeVerdict } from "./range_verdict.ts";

/** Counts what was judged, and keeps the first of what is not as it should be. */
export class RangeTally {
  /** How many tables were visited. */
  tables = 0;
  readonly #about: Pick<
    RangeVerdict,
    "address" | "lengthBytes" | "regime" | "mode" | "root" | "expectation"
  >;
  readonly #keep: number;
  readonly #count = { pass: 0, fail: 0, inconclusive: 0 };
  readonly #failures: JudgedPageOfRange[] = [];
  readonly #gaps: JudgedGap[] = [];
  #gapCount = 0;
  #firstFailure: bigint | null = null;

  constructor(
    regime: Regime,
    range: Required<AddressRange>,
    expectation: Expectation,
    keep: number,
  ) {
    const { start, end } = wholePages(range);
    const { mode, root } = regime;
    const lengthBytes = Number(end - start);
    this.#about = { address: start, lengthBytes, regime, mode, root, expectation };
    this.#keep = keep;
  }

  /** Counts one part. */
  add(part: JudgedPart): void {
    // A gap has no pages of its own: 4 KiB each.
    this.#count[part.verdict] += part.kind === "page" ? 1 : part.lengthBytes / 4096;
    if (part.kind === "page") {
      if (part.verdict !== "fail") return;
      this.#firstFailure ??= part.address;
      if (this.#failures.length < this.#keep) this.#failures.push(part);
    } else if (part.verdict !== "pass") {
      this.#gapCount++;
      if (this.#gaps.length < this.#keep) this.#gaps.push(part);
    }
  }

  /** The judgement of all that was counted. */
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
