import type { PageTableBuilder } from "../../src/testing/page_table_builder.ts";
import type { Expectation } from "../../src/verify/expectation.ts";
import type { VerdictKind } from "../../src/verify/verdict.ts";

const RIGHTS = ["user", "writable", "executable"] as const;

/** What is true of one address, by the builder alone. */
export interface Truth {
  verdict: VerdictKind;
  /** The frame lies so high that MAXPHYADDR must be known. */
  high: boolean;
}

/** Says what a verdict must be; the walker has no part in it. */
export function truthOf(tables: PageTableBuilder, va: bigint, expected: Expectation): Truth {
  const found = tables.expect(va);
  if (found.outcome !== "mapped") {
    const absent = found.outcome === "notPresent" || found.outcome === "nonCanonical";
    const verdict = expected.present === false && absent ? "pass" : "inconclusive";
    return { verdict, high: false };
  }
  const high = found.physicalAddress >> 36n !== 0n;
  if (expected.present === false) return { verdict: "fail", high };
  const { leaf, effective } = found.leaf;
  const has = expected.scope === "effective"
    ? effective
    : { user: leaf.user, writable: leaf.writable, executable: !leaf.noExecute };
  const wrong = RIGHTS.some((right) =>
    expected[right] !== undefined && expected[right] !== has[right]
  );
  return { verdict: wrong ? "fail" : "pass", high };
}

/** What a range's verdict may be, given what each page's may be. */
export function rangeVerdicts(pages: readonly ReadonlySet<VerdictKind>[]): Set<VerdictKind> {
  const possible = new Set<VerdictKind>();
  if (pages.some((page) => page.has("fail"))) possible.add("fail");
  const without = pages.every((page) => page.has("pass") || page.has("inconclusive"));
  if (without && pages.some((page) => page.has("inconclusive"))) possible.add("inconclusive");
  if (pages.every((page) => page.has("pass"))) possible.add("pass");
  return possible;
}
