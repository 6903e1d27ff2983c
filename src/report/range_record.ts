import type { JudgedGap, JudgedPageOfRange, RangeVerdict } from "../verify/range_verdict.ts";
import { given } from "../core/options.ts";
import { entryRecord, type RootSource } from "./json.ts";
import { rangeSummary } from "./range_text.ts";

/**
 * The judgement of a range as plain data for JSON. `source` says whose table it is.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { rangeRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const judged = await guest.verifyRange(0x7f1234567000n, 4096);
 * const record = rangeRecord(judged, judged.source);
 * assertEquals([record.verdict, record.passed], ["pass", 1]);
 * ```
 */
export function rangeRecord(
  verdict: RangeVerdict,
  source?: RootSource,
): Record<string, unknown> {
  const { address, lengthBytes, root, mode } = verdict;
  return {
    ...{ address, lengthBytes, root, ...given({ source }), mode },
    expectation: verdict.expectation,
    verdict: verdict.verdict,
    reason: rangeSummary(verdict),
    pages: verdict.pages,
    passed: verdict.passed,
    failed: verdict.failed,
    inconclusive: verdict.inconclusive,
    smallPages: verdict.smallPages,
    ...verdict.firstFailure !== null && { firstFailure: verdict.firstFailure },
    failures: verdict.failures.map(pageRecord),
    gaps: verdict.gaps.map(gapRecord),
    gapCount: verdict.gapCount,
    tables: verdict.tables,
  };
}

function pageRecord(page: JudgedPageOfRange): Record<string, unknown> {
  const { address, lengthBytes, pageSizeBytes, physicalAddress, entry, leaf, effective } = page;
  return {
    ...{ address, lengthBytes, pageSizeBytes, physicalAddress },
    ...entry && { entry: entryRecord(entry) },
    ...{ leaf, effective, decidedBy: page.decidedBy, reason: page.reason },
  };
}

function gapRecord({ address, lengthBytes, cause, entry, reason }: JudgedGap) {
  return {
    ...{ address, lengthBytes, cause, reason },
    ...entry && { entry: entryRecord(entry) },
  };
}
