/**
 * Finds every virtual address that reaches a guest-physical one: in one address space, or of all processes
 * of a Linux guest.
 *
 *     deno run --allow-net=127.0.0.1:1334 aliases.ts 1334 0x1eb1a000 --all
 */
import { aliasLine, aliasRecord, allTallyText, processText } from "@pagewalk/pagewalk/report";
import {
  ALL_OPTIONS,
  allBounds,
  CONNECT_OPTIONS,
  connectTo,
  DEVICE_TABLE_OPTIONS,
  EXIT,
  flag,
  FREEZE_OPTION,
  LineWriter,
  LISTING_OPTIONS,
  listingBounds,
  MONITOR,
  parseAddress,
  ProgressBar,
  readingOnce,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "aliases.ts",
  purpose: "Find every virtual address that reaches a physical one",
  positionals: [MONITOR, {
    name: "physical_address",
    purpose: "a guest-physical address, such as 0x2a0b000",
  }],
  options: {
    ...LISTING_OPTIONS,
    "max-aliases": wholeNumber("N", "at most N of each address space (default 10000)", 1),
    ...ALL_OPTIONS,
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...FREEZE_OPTION,
    json: flag("print one JSON object per line"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334 0x1eb1a000 --comm target", "1334 0x1eb1a000 --all", "sim: 0x2a0b000"],
  exits: {
    1: "no address reaches it",
    2: "a part was not searched",
  },
}, async ({ positionals: [monitor, physical], options }) => {
  using bar = new ProgressBar();
  using out = new LineWriter();
  const target = parseAddress(physical!);
  const { "max-aliases": maxAliases, json } = options;
  const limit = maxAliases === undefined ? {} : { maxAliases };
  await using guest = await connectTo(monitor!, options);
  let [found, isWhole] = [0, true];
  await readingOnce(guest, options, options.all ? inAll : inOne);
  bar.stop();
  if (found === 0 && isWhole && !json) out.line("no address reaches it");
  if (!isWhole) console.error("note: a part was not searched: there may be more");
  return !isWhole ? EXIT.INCONCLUSIVE : found > 0 ? EXIT.PASS : EXIT.FAIL;

  async function inOne(): Promise<void> {
    const bounds = { ...listingBounds(options, bar), ...limit };
    for await (const alias of guest.aliases(target, { ...bounds, ...tableChoice(options) })) {
      if (alias.kind === "alias") found++;
      else isWhole = false;
      out.line(json ? toJson(aliasRecord(alias)) : aliasLine(alias));
    }
  }

  async function inAll(): Promise<void> {
    const tally = { spaces: 0, withoutMemory: 0, outcomes: new Map<string, number>() };
    const { range: _, onProgress: _p, ...bounds } = listingBounds(options);
    const search = { ...bounds, ...limit, ...allBounds(options, bar) };
    for await (const record of guest.aliasesInAll(target, search)) {
      if (record.kind === "begin") {
        Object.assign(tally, record);
      } else if (record.kind === "process") {
        const { outcome } = record;
        tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
        isWhole &&= outcome !== "partial" && outcome !== "left out";
      } else {
        const { process, alias } = record;
        if (alias.kind === "alias") found++;
        else isWhole = false;
        const whose = process ? processText(process) : "the kernel";
        out.line(
          json ? toJson({ process, ...aliasRecord(alias) }) : `${aliasLine(alias)}  ${whose}`,
        );
      }
    }
    const said = allTallyText(tally, "searched");
    if (json) console.error(`note: ${said}`);
    else out.line(said);
  }
});
