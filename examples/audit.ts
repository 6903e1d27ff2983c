/**
 * Looks for what is wrong in an address space of a running guest, or of a snapshot.
 *
 *     deno run --allow-net=127.0.0.1:1334 audit.ts 1334
 */
import {
  audit,
  auditSummary,
  type Finding,
  findingLine,
  findingRecord,
  sarifLog,
  SEVERITIES,
  type Severity,
  styleForStdout,
} from "@pagewalk/pagewalk";
import {
  CONNECT_OPTIONS,
  connectTo,
  EXIT,
  flag,
  GUEST_OR_SNAPSHOT,
  isSnapshotFile,
  LineWriter,
  LISTING_OPTIONS,
  listingBounds,
  oneOf,
  ProgressBar,
  readSnapshot,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
} from "@pagewalk/pagewalk/cli";

/** GitHub takes no more results than this from one run. */
const MAX_SARIF_RESULTS = 25_000;

await runCommand({
  name: "audit.ts",
  purpose: "Look for what is wrong in an address space",
  positionals: [GUEST_OR_SNAPSHOT],
  options: {
    ...LISTING_OPTIONS,
    "fail-on": oneOf(SEVERITIES, "exit 1 on findings as grave as this (default medium)"),
    show: oneOf(SEVERITIES, "show findings as grave as this (default low)"),
    ...TABLE_OPTIONS,
    json: flag("print one JSON object a line"),
    sarif: flag("print a SARIF 2.1.0 log, for code-scanning pages"),
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-net=127.0.0.1:1334",
  examples: ["1334", "1334 --show medium --fail-on high", "1334 --sarif", "sim: --json"],
  exits: { 1: "there are findings as grave as --fail-on" },
}, async ({ positionals: [target], options }) => {
  using bar = new ProgressBar();
  await using guests = new AsyncDisposableStack();
  const bounds = listingBounds(options, bar);

  async function* findings(): AsyncGenerator<Finding> {
    if (isSnapshotFile(target!)) {
      yield* audit(await readSnapshot(target!), bounds);
    } else {
      const guest = guests.use(await connectTo(target!, options));
      yield* guest.audit({ ...bounds, ...tableChoice(options) });
    }
  }

  const isAsGrave = (found: Finding, least: Severity) =>
    SEVERITIES.indexOf(found.severity) <= SEVERITIES.indexOf(least);
  const { json, sarif, show = "low", "fail-on": failOn = "medium" } = options;
  const style = styleForStdout();
  using out = new LineWriter();
  const counts = { high: 0, medium: 0, low: 0 };
  const collected: Finding[] = [];
  let fails = false;
  for await (const found of findings()) {
    counts[found.severity]++;
    fails ||= isAsGrave(found, failOn);
    if (!isAsGrave(found, show)) continue;
    if (!sarif) out.line(json ? toJson(findingRecord(found)) : findingLine(found, style));
    else if (collected.length < MAX_SARIF_RESULTS) collected.push(found);
  }
  bar.stop();
  if (sarif) out.line(toJson(sarifLog(collected, { artifact: target! }), 2));
  else if (!json) out.line(auditSummary(counts));
  return fails ? EXIT.FAIL : EXIT.PASS;
});
