import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import type { OopsEntryChange } from "../linux/oops/compare_entries.ts";
import type { OopsReport } from "../arch/oops_report.ts";
import { oopsAccessText } from "../linux/oops/access_text.ts";
import type { Walk } from "../translate/walk.ts";
import { type RootSource, walkRecord } from "./json.ts";
import { completeLineOptions, type LineOptions } from "./line_options.ts";

/** What would come of an access, as `Session.access()` says it. */
export type AccessNow =
  | { readonly outcome: "ok"; readonly physicalAddress: bigint }
  | { readonly outcome: "pageFault" | "generalProtection" | "unknown"; readonly reason: string };

/** What there is to say of a report. */
export interface OopsOfText {
  /** What Linux printed. */
  readonly report: OopsReport;
  /** Why the access faulted. */
  readonly reason: string;
  /** The printed entries, each with the current one. */
  readonly entries: readonly OopsEntryChange[];
  /** What would come of the access now; null if that is not known. */
  readonly now: AccessNow | null;
  /** Why these may be other tables than those of the fault; null if they are not. */
  readonly doubt: string | null;
}

const CHANGES: Readonly<Record<OopsEntryChange["change"], string>> = {
  same: "as then",
  changed: "changed",
  appeared: "not present then, present now",
  gone: "present then, not present now",
  unreadable: "not reached now",
};

/**
 * Writes what a report of a fault was about: the access, why it faulted, what became of the entries that
 * were printed, and what would come of the access now.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { explainOops } from "@pagewalk/pagewalk/linux";
 * import { oopsLines } from "@pagewalk/pagewalk/report";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using session = await connect("sim:");
 * const text = "BUG: unable to handle page fault for address: 00007f1234567000";
 * const lines = oopsLines(await explainOops(session, text));
 * assertStringIncludes(lines[1]!, "to 0x7f1234567000");
 * ```
 */
export function oopsLines(parts: OopsOfText, options: LineOptions = {}): string[] {
  const { report, reason, entries, now, doubt } = parts;
  const { style, address: write } = completeLineOptions(options);
  const who = report.comm === null
    ? ""
    : ` by ${escapeText(report.comm)}${report.pid === null ? "" : ` (pid ${report.pid})`}`;
  const at = report.at === null ? "" : ` at ${escapeText(report.at)}`;
  const where = report.address === null ? "an unknown address" : write(report.address);
  const code = report.access?.errorCode ?? null;
  const { codeName = "error code" } = report.access ?? {};
  const error = code === null ? "" : `, ${codeName} ${formatAddress(code)}`;
  const lines = [
    style.strong(escapeText(report.headline)),
    `then: ${oopsAccessText(report)} to ${where}${who}${at}${error}`,
    `it faulted: ${style.bad(reason)}`,
  ];
  for (const { table, raw, now: current, change } of entries) {
    const is = current === null ? "" : ` now ${write(current)}`;
    const paint = change === "same" ? style.faint : style.strong;
    lines.push(
      `${table}: then ${raw === null ? "BAD" : write(raw)}${is}: ${paint(CHANGES[change])}`,
    );
  }
  if (now !== null) lines.push(`now the same access ${nowText(now, write)}`);
  if (doubt !== null) lines.push(style.faint(`note: ${escapeText(doubt)}`));
  return lines;
}

function nowText(now: AccessNow, write: (address: bigint) => string): string {
  switch (now.outcome) {
    case "ok":
      return `goes through, to ${write(now.physicalAddress)}`;
    case "pageFault":
      return `faults again: ${now.reason}`;
    case "generalProtection":
      return `gets a general protection fault: ${now.reason}`;
    case "unknown":
      return `may fault or not: ${now.reason}`;
  }
}

/** What a JSON record has besides the text: the walk. */
export interface OopsOfRecord extends OopsOfText {
  /** The walk to the address as the tables are now; null if the report tells no address. */
  readonly walk: Walk & { readonly source: RootSource } | null;
}

/**
 * An explained report as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { explainOops } from "@pagewalk/pagewalk/linux";
 * import { oopsRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = await connect("sim:");
 * const text = "BUG: unable to handle page fault for address: 00007f1234567000";
 * const record = oopsRecord(await explainOops(session, text));
 * assertEquals(Object.keys(record), ["report", "reason", "walk", "entries", "now", "doubt"]);
 * ```
 */
export function oopsRecord(found: OopsOfRecord): Record<string, unknown> {
  const { report, reason, walk, entries, now, doubt } = found;
  return {
    ...{ report, reason, walk: walk && walkRecord(walk, walk.source) },
    ...{ entries, now, doubt },
  };
}
