/**
 * Verifies every page that a kernel log says was cleared: `_PAGE_USER` must be clear now, and the entry
 * must be the one that was logged. It takes what `dmesg`, `journalctl -k`, syslog files, `/dev/kmsg` and
 * serial consoles print. `dmesg -x` and `/dev/kmsg` also tell the kernel's records from programs'.
 *
 *     dmesg -x | deno run --allow-net=127.0.0.1:1334 verify_dmesg.ts 1334
 *     deno run --allow-net=127.0.0.1:1334 --allow-read=dmesg.txt verify_dmesg.ts 1334 dmesg.txt
 */
import { judgeLogged, walkMany } from "@pagewalk/pagewalk";
import { readVfioLog } from "@pagewalk/pagewalk/linux";
import {
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  escapeMessage,
  escapeText,
  exitCodeOf,
  formatAddress,
  FREEZE_OPTION,
  LimitedLines,
  MONITOR,
  OUTPUT_OPTIONS,
  PagewalkError,
  reading,
  readTextInput,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  verdictOutput,
  verdictRecord,
} from "@pagewalk/pagewalk/cli";

const BARE =
  "the log's lines have no prefix, so any user of the guest may have written them, by the " +
  "name of a program that crashes: take the log by dmesg -x";

await runCommand({
  name: "verify_dmesg.ts",
  purpose: "Verify every page of a kernel log's `VFIO: Clearing _PAGE_USER` lines",
  positionals: [MONITOR, {
    name: "file",
    purpose: "the log; - or no argument: standard input",
    optional: true,
  }],
  options: {
    ...TABLE_OPTIONS,
    ...FREEZE_OPTION,
    ...OUTPUT_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  notes: [
    "A record counts only if the kernel wrote it (facility 0) and it has exactly the patch's format. Names of " +
    "crashed programs and writes to /dev/kmsg also reach the log and are ignored.",
    "dmesg -x and cat /dev/kmsg keep the facility of each line. Plain dmesg does not (only root can write " +
    "there), and in journalctl without -k any user can write lines. From lines without any prefix " +
    "(journalctl -o cat, printk.time=0), which any user can forge, no verdict is drawn.",
  ],
  examples: ["1334 < dmesg.txt", "1334 --sample 5000 < dmesg.txt"],
  exits: {
    1: "a page is not as logged",
    2: "a page is not mapped, or a record cannot be read or contradicts another",
  },
}, async ({ positionals: [monitor, file], options }) => {
  const { records, fromPrograms, isBare } = readVfioLog(await readTextInput(file));
  const refused =
    `${fromPrograms} lines like the patch's were written by programs, not by the kernel`;
  if (records.length === 0) {
    const lines = '"VFIO: Clearing _PAGE_USER" or "VFIO: Successfully cleared _PAGE_USER"';
    throw new PagewalkError(
      `The log has no line with ${lines}: is it this guest's log, is the patch applied, or has the log buffer wrapped?` +
        (fromPrograms > 0 ? ` ${refused}` : ""),
    );
  }
  const output = await verdictOutput(options, "verify_dmesg");
  await using guest = await connectTo(monitor!, options);
  return await reading(guest, options, check);

  async function check(): Promise<number> {
    const addresses = records.flatMap(({ address }) => address === null ? [] : [address]);
    const { context, source } = await guest.pageTable(tableChoice(options), addresses[0]);
    const whose = describeSource(source);
    output.say(`[+] Connected to QEMU monitor at ${escapeText(guest.endpoint)}`);
    output.say(`[+] CR3 (Page Table Base): ${formatAddress(context.root)} (${escapeText(whose)})`);
    if (fromPrograms > 0) output.say(`[!] ${refused}: they do not count`);

    const counts = { pass: 0, fail: 0, inconclusive: 0 };
    let firstFailure: bigint | null = null;
    const lines = new LimitedLines();
    const walks = await walkMany(guest.memory, context, addresses, {
      learnPhysicalBits: () => guest.physicalAddressBits(),
    });
    const walkTo = new Map(walks.map((walk) => [walk.address, walk]));
    for (const record of records) {
      const { address, problem } = record;
      const verdict = address === null ? null : judgeLogged(walkTo.get(address)!, record);
      const judged = verdict ?? { verdict: "inconclusive" as const, reason: problem! };
      const { verdict: kind, reason } = isBare
        ? { verdict: "inconclusive" as const, reason: `${BARE} (${judged.reason})` }
        : judged;
      counts[kind]++;
      if (kind === "fail") firstFailure ??= address;
      const where = address === null ? "a record" : formatAddress(address);
      output.add({ name: where, verdict: kind, reason });
      if (output.isJson) {
        const judged = verdict && verdictRecord({ ...verdict, verdict: kind, reason }, source);
        console.log(toJson(judged ?? { verdict: kind, reason }));
      } else if (output.isText && kind !== "pass") {
        lines.line(`[-] ${where}: ${kind}: ${escapeMessage(reason)}`);
      }
    }
    lines[Symbol.dispose]();

    const { pass, fail, inconclusive } = counts;
    const parts = [`${pass} of ${records.length} pages pass`];
    if (firstFailure !== null) parts.push(`first failure ${formatAddress(firstFailure)}`);
    if (inconclusive > 0) parts.push(`${inconclusive} could not be judged`);
    const isPass = pass === records.length;
    output.say(`[${isPass ? "+" : "-"}] ${parts.join("; ")}`);
    const verdict = fail > 0 ? "fail" : isPass ? "pass" : "inconclusive";
    output.end(verdict);
    return exitCodeOf(verdict);
  }
});
