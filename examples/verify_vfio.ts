/**
 * The VFIO check in one command: reads the guest's own kernel log, finds the process of each page whose
 * `_PAGE_USER` was cleared, and verifies that it is cleared still and that the entry is the one logged.
 *
 *     deno run --allow-net=127.0.0.1:1334 verify_vfio.ts 1334
 */
import { logText } from "@pagewalk/pagewalk";
import {
  CONNECT_OPTIONS,
  connectTo,
  EXIT,
  exitCodeOf,
  flag,
  formatAddress,
  formatSize,
  judgeLogged,
  MONITOR,
  PagewalkError,
  parseVfioLog,
  runCommand,
  type Session,
  TABLE_OPTIONS,
  toJson,
  type Verdict,
  verdictRecord,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "verify_vfio.ts",
  purpose: "Verify every page that the guest's own log says VFIO has cleared `_PAGE_USER` on",
  positionals: [MONITOR],
  options: {
    "vfio-maps": flag("judge the memory of devices that processes map by VFIO; takes no log"),
    pid: TABLE_OPTIONS.pid,
    json: flag("print one JSON object a page or area"),
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-net=127.0.0.1:1334",
  examples: ["1334", "1334 --json", "1334 --vfio-maps"],
  exits: { 1: "a page is not as logged", 2: "a page is not mapped, or not to be told whose" },
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  const say = (line: string) => options.json || console.log(line);
  say(`[+] Connected to QEMU monitor at ${guest.endpoint}`);
  return options["vfio-maps"]
    ? await verifyMaps(guest, options.pid, options.json)
    : await verifyLog(guest, options.pid, options.json);
});

/** Every page that the log names, in the process that it belongs to. */
async function verifyLog(guest: Session, pid: number | undefined, json: boolean): Promise<number> {
  const linux = await guest.linux();
  const say = (line: string) => json || console.log(line);
  const records = parseVfioLog((await linux.dmesg()).map(logText).join("\n"));
  if (records.length === 0) {
    throw new PagewalkError(
      "The guest's log has no line with VFIO: Clearing _PAGE_USER: was the patch at work, or has the " +
        "log turned over since? --vfio-maps takes no log",
    );
  }
  say(`[+] Linux ${linux.version}: its log names ${records.length} pages`);
  const counts = { pass: 0, fail: 0, inconclusive: 0 };
  let announced: number | null = null;
  for await (const { record, process, walk, mappedBy } of linux.loggedPages(records)) {
    if (pid !== undefined && process?.pid !== pid) continue;
    if (!process || !walk) {
      counts.inconclusive++;
      const pids = mappedBy.map((each) => `${each.pid} ${each.comm}`).join(", ");
      const why = pids ? `any of ${pids} may be meant` : "no process maps it: has it exited?";
      if (json) {
        console.log(toJson({ address: record.address, verdict: "inconclusive", reason: why }));
      } else console.log(`[-] ${formatAddress(record.address)}: inconclusive: ${why}`);
      continue;
    }
    const whose = `pid ${process.pid} ${process.comm}`;
    if (announced !== process.pid) {
      say(`[+] CR3 (Page Table Base): ${formatAddress(walk.root)} (${whose})`);
    }
    announced = process.pid;
    const verdict: Verdict = judgeLogged(walk, record);
    counts[verdict.verdict]++;
    if (json) console.log(toJson(verdictRecord(verdict, whose)));
    else if (verdict.verdict !== "pass") {
      console.log(`[-] ${formatAddress(record.address)}: ${verdict.verdict}: ${verdict.reason}`);
    }
  }
  return summary(counts, "pages", say);
}

/** Every area that a process maps of a device handed out by VFIO. */
async function verifyMaps(guest: Session, pid: number | undefined, json: boolean): Promise<number> {
  const linux = await guest.linux();
  const say = (line: string) => json || console.log(line);
  const counts = { pass: 0, fail: 0, inconclusive: 0 };
  for (const process of await linux.processes()) {
    if (process.root === null || (pid !== undefined && process.pid !== pid)) continue;
    const areas = (await linux.vmas(process)).filter(({ kind }) => kind === "vfio");
    for (const { start, end, name } of areas) {
      const length = Number(end - start);
      const verdict = await guest.verifyRange(start, length, { user: false }, { pid: process.pid });
      counts[verdict.verdict]++;
      const whose = `pid ${process.pid} ${process.comm}`;
      if (json) console.log(toJson({ whose, name, ...verdict }));
      else {
        const mark = verdict.verdict === "pass" ? "+" : "-";
        console.log(
          `[${mark}] ${formatAddress(start)}, ${formatSize(length)} of ${name} (${whose}): ` +
            verdict.verdict,
        );
      }
    }
  }
  return summary(counts, "areas", say);
}

function summary(
  { pass, fail, inconclusive }: { pass: number; fail: number; inconclusive: number },
  what: string,
  say: (line: string) => void,
): number {
  const total = pass + fail + inconclusive;
  say(`[${total > 0 && pass === total ? "+" : "-"}] ${pass} of ${total} ${what} pass`);
  if (total === 0) return EXIT.INCONCLUSIVE;
  return exitCodeOf(fail > 0 ? "fail" : inconclusive > 0 ? "inconclusive" : "pass");
}
