/**
 * Verifies every page that a kernel log says was cleared: `_PAGE_USER` must be clear now, and the entry
 * must be the one that was logged.
 *
 *     dmesg | deno run --allow-net=127.0.0.1:1334 verify_dmesg.ts 1334
 *     deno run --allow-net=127.0.0.1:1334 --allow-read=dmesg.txt verify_dmesg.ts 1334 dmesg.txt
 */
import {
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  escapeText,
  exitCodeOf,
  flag,
  formatAddress,
  judgeLogged,
  MONITOR,
  PagewalkError,
  parseVfioLog,
  readTextInput,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  tally,
  toJson,
  verdictRecord,
  walk,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "verify_dmesg.ts",
  purpose: "Verify every page of a kernel log's `VFIO: Clearing _PAGE_USER` lines",
  positionals: [MONITOR, {
    name: "file",
    purpose: "the log; - or nothing means standard input",
    optional: true,
  }],
  options: {
    ...TABLE_OPTIONS,
    json: flag("print one JSON object a page"),
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-net=127.0.0.1:1334",
  examples: ["1334 < dmesg.txt", "1334 --sample 5000 < dmesg.txt"],
  exits: { 1: "a page is not as logged", 2: "a page is not mapped" },
}, async ({ positionals: [monitor, file], options }) => {
  const records = parseVfioLog(await readTextInput(file));
  const [first] = records;
  if (!first) {
    const lines = '"VFIO: Clearing _PAGE_USER" or "VFIO: Successfully cleared _PAGE_USER"';
    throw new PagewalkError(
      `The log has no line with ${lines}: is it the guest's, and was the patch at work?`,
    );
  }
  await using guest = await connectTo(monitor!, options);
  const { context, source } = await guest.pageTable(tableChoice(options), first.address);
  const whose = describeSource(source);
  if (!options.json) {
    console.log(`[+] Connected to QEMU monitor at ${escapeText(guest.endpoint)}`);
    console.log(`[+] CR3 (Page Table Base): ${formatAddress(context.root)} (${escapeText(whose)})`);
  }

  const verdicts = [];
  for (const record of records) {
    const verdict = judgeLogged(await walk(guest.memory, context, record.address), record);
    verdicts.push(verdict);
    if (options.json) console.log(toJson(verdictRecord(verdict, whose)));
    else if (verdict.verdict !== "pass") {
      console.log(`[-] ${formatAddress(record.address)}: ${verdict.verdict}: ${verdict.reason}`);
    }
  }

  const { verdict, passed, total, firstFailure } = tally(verdicts);
  const failure = firstFailure === null ? "" : `; first failure ${formatAddress(firstFailure)}`;
  if (!options.json) {
    console.log(`[${verdict === "pass" ? "+" : "-"}] ${passed} of ${total} pages pass${failure}`);
  }
  return exitCodeOf(verdict);
});
