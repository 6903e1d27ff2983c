/**
 * Looks for what is wrong in an address space of a running guest, or of a snapshot.
 *
 *     deno run --allow-net=127.0.0.1:1334 audit.ts 1334 --all
 */
import { audit, type Finding, SEVERITIES, type Severity } from "@pagewalk/pagewalk";
import {
  allTallyText,
  auditSummary,
  findingLine,
  findingRecord,
  sarifLog,
  styleForStdout,
} from "@pagewalk/pagewalk/report";
import {
  ALL_OPTIONS,
  allBounds,
  CONNECT_OPTIONS,
  connectTo,
  DEVICE_TABLE_OPTIONS,
  EXIT,
  flag,
  FREEZE_OPTION,
  GUEST_OR_SNAPSHOT,
  InvalidArgumentError,
  isSnapshotFile,
  LineWriter,
  LISTING_OPTIONS,
  listingBounds,
  oneOf,
  ProgressBar,
  readingOnce,
  readSnapshot,
  runCommand,
  type Session,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

/** GitHub takes no more results than this from one run. */
const MAX_SARIF_RESULTS = 25_000;

await runCommand({
  name: "audit.ts",
  purpose: "Look for suspicious mappings in an address space",
  positionals: [GUEST_OR_SNAPSHOT],
  options: {
    ...LISTING_OPTIONS,
    "fail-on": oneOf(
      SEVERITIES,
      "exit 1 on any finding of this severity or higher (default medium)",
    ),
    show: oneOf(SEVERITIES, "show findings of this severity or higher (default low)"),
    "max-findings": wholeNumber("N", "list at most N findings of each rule (default 2000)", 1),
    dma: flag(
      "audit what all devices behind the IOMMU reach: kernel memory, page tables, memory of processes " +
        "that are gone",
    ),
    ...ALL_OPTIONS,
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...FREEZE_OPTION,
    json: flag("print one JSON object per line"),
    sarif: flag("print a SARIF 2.1.0 log, for code-scanning pages"),
    ...CONNECT_OPTIONS,
  },
  examples: [
    "1334",
    "1334 --show medium --fail-on high",
    "1334 --sarif",
    "1334 --dma",
    "1334 --all",
    "sim: --json",
  ],
  exits: {
    1: "there are findings of the --fail-on severity or higher",
    2: "no such finding, but part was not audited or not listed",
  },
}, async ({ positionals: [target], options }) => {
  using bar = new ProgressBar();
  const { "max-findings": maxFindings } = options;
  const bounds = {
    ...listingBounds(options, bar),
    ...maxFindings !== undefined && { maxFindings },
  };

  const isAtLeast = (found: Finding, least: Severity) =>
    SEVERITIES.indexOf(found.severity) <= SEVERITIES.indexOf(least);
  const { json, sarif, show = "low", "fail-on": failOn = "medium" } = options;
  const style = styleForStdout();
  using out = new LineWriter();
  const counts = { high: 0, medium: 0, low: 0 };
  const collected: Finding[] = [];
  let [fails, isWhole] = [false, true];
  async function collect(findings: AsyncIterable<Finding>): Promise<void> {
    for await (const found of findings) {
      counts[found.severity]++;
      fails ||= isAtLeast(found, failOn);
      isWhole &&= found.rule !== "not-audited";
      if (!isAtLeast(found, show)) continue;
      if (!sarif) out.line(json ? toJson(findingRecord(found)) : findingLine(found, style));
      else if (collected.length < MAX_SARIF_RESULTS) collected.push(found);
      else isWhole = false;
    }
  }

  const choice = tableChoice(options);
  const isNarrowed = options.all || bounds.range || Object.keys(choice).length > 0;
  if (options.dma && (isSnapshotFile(target!) || isNarrowed)) {
    const message =
      "--dma audits what all devices of a guest reach: it takes a guest, and neither " +
      "--range, --all nor a choice of tables";
    throw new InvalidArgumentError(message, target);
  }
  function auditDma(guest: Session): AsyncIterable<Finding> {
    const { range: _, ...rest } = bounds;
    return guest.auditDma(rest);
  }
  const all = { spaces: 0, withoutMemory: 0, outcomes: new Map<string, number>() };
  async function* ofAll(guest: Session): AsyncGenerator<Finding> {
    const { range: _, onProgress: _p, ...others } = bounds;
    for await (const record of guest.auditAll({ ...others, ...allBounds(options, bar) })) {
      if (record.kind === "finding") yield record.finding;
      else if (record.kind === "begin") Object.assign(all, record);
      else all.outcomes.set(record.outcome, (all.outcomes.get(record.outcome) ?? 0) + 1);
    }
    isWhole &&= !all.outcomes.has("partial") && !all.outcomes.has("left out");
  }

  if (isSnapshotFile(target!)) {
    if (options.all) throw new InvalidArgumentError("A snapshot has one address space", target!);
    await collect(audit(await readSnapshot(target!), bounds));
  } else {
    await using guest = await connectTo(target!, options);
    const find = () =>
      options.dma
        ? auditDma(guest)
        : options.all
        ? ofAll(guest)
        : guest.audit({ ...bounds, ...choice });
    await readingOnce(guest, options, () => collect(find()));
  }
  bar.stop();
  const said = allTallyText(all, "audited");
  if (options.all && (sarif || json)) console.error(`note: ${said}`);
  else if (options.all) out.line(said);
  if (sarif) out.line(toJson(sarifLog(collected, { artifact: target! }), 2));
  else if (!json) out.line(auditSummary(counts));
  if (!isWhole) console.error("note: not everything was audited or listed: the result is partial");
  return fails ? EXIT.FAIL : isWhole ? EXIT.PASS : EXIT.INCONCLUSIVE;
});
