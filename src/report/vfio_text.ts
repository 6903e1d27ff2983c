import { formatAddress } from "../core/address.ts";
import { escapeMessage, escapeText } from "../core/escape.ts";
import type { VerdictKind } from "../verify/verdict.ts";
import type {
  LoggedPageJudgement,
  VfioDmaJudgement,
  VfioJudgement,
  VfioRangeJudgement,
  VfioSource,
  VfioUnreadPart,
} from "../vfio/judgement.ts";
import type { VfioCounts, VfioSourceTally, VfioTally } from "../vfio/tally.ts";
import type { VerifiedCase } from "./cases.ts";
import { walkRecord } from "./json.ts";
import { rangeRecord } from "./range_record.ts";
import { formatSize } from "./size.ts";

type JudgedPart = LoggedPageJudgement | VfioRangeJudgement | VfioDmaJudgement | VfioUnreadPart;

/**
 * Writes one judgement of the VFIO check as a line; null for what only the summary tells.
 *
 * @example Usage
 * ```ts
 * import { vfioLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const reason = "pid 84 target: its list of DMA mappings changes";
 * const line = vfioLine({ kind: "unread", source: "pinned", verdict: "inconclusive", reason });
 * assertEquals(line, "[-] what VFIO has pinned: inconclusive: pid 84 target: its list of DMA mappings changes");
 * ```
 */
export function vfioLine(judgement: VfioJudgement): string | null {
  if (judgement.kind === "source") return null;
  const mark = judgement.verdict === "pass" ? "+" : "-";
  const { verdict, reason } = judgement;
  return `[${mark}] ${whatOf(judgement)}: ${verdict}: ${escapeMessage(reason)}`;
}

/**
 * One judgement of the VFIO check as a case of a test report; null for what only the summary tells.
 *
 * @example Usage
 * ```ts
 * import { vfioCase } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const reason = "pid 84 target: its list of DMA mappings changes";
 * const one = vfioCase({ kind: "unread", source: "pinned", verdict: "inconclusive", reason });
 * assertEquals(one, { name: "what VFIO has pinned", verdict: "inconclusive", reason });
 * ```
 */
export function vfioCase(judgement: VfioJudgement): VerifiedCase | null {
  if (judgement.kind === "source") return null;
  const { verdict, reason } = judgement;
  return { name: whatOf(judgement), verdict, reason };
}

function whatOf(judgement: JudgedPart): string {
  if (judgement.kind === "unread") return SOURCE_NAMES[judgement.source];
  if (judgement.kind === "logged") {
    const { record: { address }, process } = judgement;
    const where = address === null ? "a record of the log" : formatAddress(address);
    return process === null ? where : `${where} (${whose(process)})`;
  }
  if (judgement.kind === "dma") {
    const { address, devices, iova, lengthBytes, process } = judgement;
    const where = address === null ? "" : `, ${formatAddress(address)}`;
    return `IOVA ${formatAddress(iova)}, ${formatSize(lengthBytes)} of ${
      devices.join(", ")
    }${where} ` +
      `(${whose(process)})`;
  }
  const { address, lengthBytes, iova, name, process } = judgement;
  const what = iova === undefined
    ? `of ${escapeText(name ?? "a device")}`
    : `pinned at IOVA ${formatAddress(iova)}`;
  return `${formatAddress(address)}, ${formatSize(lengthBytes)} ${what} (${whose(process)})`;
}

function whose({ pid, comm }: { pid: number; comm: string }): string {
  return `pid ${pid} ${escapeText(comm)}`;
}

/**
 * One judgement of the VFIO check as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { vfioRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const record = vfioRecord({ kind: "source", source: "log", state: "read", reason: "" });
 * assertEquals(record, { kind: "source", source: "log", state: "read", reason: "" });
 * ```
 */
export function vfioRecord(judgement: VfioJudgement): Record<string, unknown> {
  if (judgement.kind === "source" || judgement.kind === "unread") return { ...judgement };
  const { kind, verdict, reason, process } = judgement;
  const owner = process && { process: { pid: process.pid, comm: process.comm } };
  if (judgement.kind === "logged") {
    const { record, walk } = judgement;
    return { kind, ...owner, record, walk: walk && walkRecord(walk), ...{ verdict, reason } };
  }
  if (judgement.kind === "dma") {
    const { kind: _kind, process: _, ...rest } = judgement;
    return { kind, ...owner, ...rest };
  }
  const { kind: _, process: _process, range, ...place } = judgement;
  return { kind, ...owner, ...place, range: rangeRecord(range) };
}

const SOURCE_NAMES: Record<VfioSource, string> = {
  log: "the log",
  pinned: "what VFIO has pinned",
  device: "devices' memory",
  iommu: "what devices reach",
};

/** How the summary names a source's pages, and says that it has none. */
const PAGES_OF: Record<VfioSource, { pages: string; none: string }> = {
  log: { pages: "pages that the log names", none: "the log names no page" },
  pinned: { pages: "pinned pages", none: "VFIO has pinned nothing" },
  device: { pages: "pages of devices' memory", none: "no device's memory is mapped" },
  iommu: { pages: "pages that devices reach", none: "VFIO lets no device reach anything" },
};

const RESULT: Record<VerdictKind, string> = {
  pass: "[+] Verification PASSED: ",
  fail: "[-] Verification FAILED: ",
  inconclusive: "[-] Verification INCONCLUSIVE: ",
};

/**
 * Sums the VFIO check up: a line for each source that could not be read or of which something should be
 * known, and the result, with what was checked and what was not.
 *
 * @example Usage
 * ```ts
 * import { VfioTally } from "@pagewalk/pagewalk";
 * import { vfioSummary } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const tally = new VfioTally();
 * tally.add({ kind: "source", source: "log", state: "read", reason: "" });
 * assertEquals(vfioSummary(tally), [
 *   "[-] Verification INCONCLUSIVE: the log names no page; " +
 *   "not looked at: what VFIO has pinned, devices' memory, what devices reach",
 * ]);
 * ```
 */
export function vfioSummary(tally: VfioTally): string[] {
  const sources = Object.entries(tally.sources) as [VfioSource, VfioSourceTally][];
  const asked = sources.filter(([, { state }]) => state !== "unasked");
  const notes = asked.filter(([, { reason }]) => reason !== "").map(([source, { reason, state }]) =>
    `[!] ${state === "read" ? "" : `${SOURCE_NAMES[source]} was not checked: `}${
      escapeMessage(reason)
    }`
  );
  const parts = asked.map(([source, counted]) => partOf(source, counted));
  const unasked = sources.filter(([, { state }]) => state === "unasked").map(([source]) =>
    SOURCE_NAMES[source]
  );
  if (unasked.length > 0) parts.push(`not looked at: ${unasked.join(", ")}`);
  return [...notes, `${RESULT[tally.verdict]}${parts.join("; ")}`];
}

function partOf(source: VfioSource, { items, pages, state, unread }: VfioSourceTally): string {
  if (state === "unavailable" && sum(items) === 0) return `${SOURCE_NAMES[source]} was not checked`;
  const names = PAGES_OF[source];
  const judged = sum(pages) === 0
    ? unread > 0 ? [] : [names.none]
    : [`${pages.pass} of ${sum(pages)} ${names.pages} pass`];
  if (pages.fail > 0) judged.push(`${pages.fail} ${pages.fail === 1 ? "fails" : "fail"}`);
  if (pages.inconclusive > 0) judged.push(`${pages.inconclusive} could not be judged`);
  if (unread > 0) judged.push(`${SOURCE_NAMES[source]} could not be read completely`);
  return judged.join(", ");
}

function sum({ pass, fail, inconclusive }: VfioCounts): number {
  return pass + fail + inconclusive;
}
