import { formatAddress } from "../core/address.ts";
import { escapeMessage, escapeText } from "../core/escape.ts";
import { checkOptions, TEXT } from "../core/options.ts";
import { entryNameOf } from "../translate/regime.ts";
import type { JudgedGap, JudgedPageOfRange, RangeVerdict } from "../verify/range_verdict.ts";
import { formatSize } from "./size.ts";

/** What the text says besides the judgement. */
export interface RangeTextOptions {
  /** Whose table it is, such as `vCPU 0`. */
  readonly source: string;
}

/**
 * Writes the judgement of a range: whose tables, each failure with its entry, each gap, and the
 * summary line.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { rangeText } from "@pagewalk/pagewalk/report";
 * import { assert } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const verdict = await guest.verifyRange(0x7f1234567000n, 4096);
 * assert(rangeText(verdict, { source: "vCPU 0" }).endsWith("PASSED: 1 of 1 pages pass"));
 * ```
 */
export function rangeText(verdict: RangeVerdict, options: RangeTextOptions): string {
  checkOptions(options, "the options of the text", { source: TEXT });
  const { address, lengthBytes, regime, root, failures, failed, gaps, gapCount } = verdict;
  const last = address + BigInt(lengthBytes) - 1n;
  return [
    `[+] ${regime.rules.rootName} (Page Table Base): ${formatAddress(root)} (${
      escapeText(options.source)
    })`,
    `[+] Range ${formatAddress(address)}-${formatAddress(last)}: ${formatSize(lengthBytes)}, ` +
    `${verdict.tables} tables read`,
    ...failures.map((page) => `[-] ${pageLine(verdict, page)}`),
    ...moreLine(failed - failures.length, "page fails", "pages fail"),
    ...gaps.map((gap) => `[!] ${gapLine(gap)}`),
    ...moreLine(gapCount - gaps.length, "gap", "gaps"),
    resultLine(verdict),
  ].join("\n");
}

/**
 * Says in one sentence how a range fared: `255 of 256 pages pass; first failure 0x…`.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { rangeSummary } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const verdict = await guest.verifyRange(0x7f1234567000n, 4096);
 * assertEquals(rangeSummary(verdict), "1 of 1 pages pass");
 * ```
 */
export function rangeSummary(verdict: RangeVerdict): string {
  const { pages, passed, inconclusive, smallPages, firstFailure } = verdict;
  const large = pages === smallPages ? "" : `, which are ${smallPages} pages of 4 KiB`;
  const parts = [`${passed} of ${pages} pages pass${large}`];
  if (firstFailure !== null) parts.push(`first failure ${formatAddress(firstFailure)}`);
  if (inconclusive > 0) parts.push(`${inconclusive} could not be judged`);
  return parts.join("; ");
}

function resultLine(verdict: RangeVerdict): string {
  const summary = rangeSummary(verdict);
  switch (verdict.verdict) {
    case "pass":
      return `[+] Verification PASSED: ${summary}`;
    case "fail":
      return `[-] Verification FAILED: ${summary}`;
    case "inconclusive":
      return `[-] Verification INCONCLUSIVE: ${summary}`;
  }
}

function pageLine(verdict: RangeVerdict, page: JudgedPageOfRange): string {
  const { address, entry, reason, pageSizeBytes } = page;
  const why = escapeMessage(reason);
  if (!entry) return `${formatAddress(address)}: ${why}`;
  const name = entryNameOf(verdict.regime, entry.level);
  const size = pageSizeBytes === 4096 ? "" : ` (${formatSize(pageSizeBytes)})`;
  return `${formatAddress(address)}${size}: ${why}; ` +
    `${name} ${formatAddress(entry.raw)} at ${formatAddress(entry.address)}`;
}

function gapLine({ address, lengthBytes, reason, entry }: JudgedGap): string {
  const last = address + BigInt(lengthBytes) - 1n;
  const pages = lengthBytes / 4096;
  const where = `${formatAddress(address)}-${formatAddress(last)}`;
  const raw = entry ? `; entry ${formatAddress(entry.raw)} at ${formatAddress(entry.address)}` : "";
  return `${where} (${pages} ${pages === 1 ? "page" : "pages"}): ${escapeMessage(reason)}${raw}`;
}

function moreLine(count: number, one: string, many: string): string[] {
  return count > 0 ? [`    … and ${count} more ${count === 1 ? one : many}`] : [];
}
