/**
 * The VFIO check in one command: reads the guest's own kernel log, finds the process of each page whose
 * `_PAGE_USER` was cleared, and verifies that it is cleared still and that the entry is the one logged.
 * With `--vfio-maps` it takes no log: it judges all memory that VFIO has pinned for DMA, as the driver's
 * own books have it, and the memory of devices that processes map.
 *
 *     deno run --allow-net=127.0.0.1:1334 verify_vfio.ts 1334
 */
import {
  CapabilityError,
  InconsistentListError,
  KernelFormatError,
  type LinuxGuest,
  type LinuxProcess,
  logText,
  rangeRecord,
  rangeSummary,
} from "@pagewalk/pagewalk";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeText,
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
  type VerdictKind,
  verdictRecord,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "verify_vfio.ts",
  purpose: "Verify every page that the guest's own log says VFIO has cleared `_PAGE_USER` on",
  positionals: [MONITOR],
  options: {
    "vfio-maps": flag("judge all memory that VFIO has pinned, and devices' memory; takes no log"),
    pid: TABLE_OPTIONS.pid,
    comm: TABLE_OPTIONS.comm,
    json: flag("print one JSON object a page or area"),
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-net=127.0.0.1:1334",
  examples: ["1334", "1334 --json", "1334 --comm target", "1334 --vfio-maps"],
  exits: {
    1: "a page is not as logged, or not cleared",
    2: "a page is not mapped, or not to be told whose; or nothing was found",
  },
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  const say = (line: string) => options.json || console.log(line);
  say(`[+] Connected to QEMU monitor at ${escapeText(guest.endpoint)}`);
  const { pid, comm, json } = options;
  const isWanted = (process: LinuxProcess) =>
    (pid === undefined || process.pid === pid) && (comm === undefined || process.comm === comm);
  const only = pid === undefined && comm === undefined ? null : isWanted;
  return options["vfio-maps"]
    ? await verifyMaps(guest, only, json)
    : await verifyLog(guest, only, json);
});

/** Tells the processes that were asked for; null if all are. */
type Wanted = ((process: LinuxProcess) => boolean) | null;

/** Every page that the log names, in the process that it belongs to. */
async function verifyLog(guest: Session, only: Wanted, json: boolean): Promise<number> {
  const linux = await guest.linux();
  const say = (line: string) => json || console.log(line);
  const records = parseVfioLog((await linux.dmesg()).map(logText).join("\n"));
  if (records.length === 0) {
    throw new PagewalkError(
      "The guest's log has no line with VFIO: Clearing _PAGE_USER: was the patch at work, or has the " +
        "log turned over since? --vfio-maps takes no log",
    );
  }
  say(`[+] Linux ${escapeText(linux.version)}: its log names ${records.length} pages`);
  const counts = noCounts();
  let announced: number | null = null;
  for await (const { record, process, walk, mappedBy } of linux.loggedPages(records)) {
    if (only && !(process && only(process))) continue;
    if (!process || !walk) {
      counts.inconclusive++;
      const pids = mappedBy.map((each) => `${each.pid} ${each.comm}`).join(", ");
      const why = pids ? `any of ${pids} may be meant` : "no process maps it: has it exited?";
      if (json) {
        console.log(toJson({ address: record.address, verdict: "inconclusive", reason: why }));
      } else console.log(`[-] ${formatAddress(record.address)}: inconclusive: ${escapeText(why)}`);
      continue;
    }
    const whose = `pid ${process.pid} ${process.comm}`;
    if (announced !== process.pid) {
      say(`[+] CR3 (Page Table Base): ${formatAddress(walk.root)} (${escapeText(whose)})`);
    }
    announced = process.pid;
    const verdict: Verdict = judgeLogged(walk, record);
    counts[verdict.verdict]++;
    if (json) console.log(toJson(verdictRecord(verdict, whose)));
    else if (verdict.verdict !== "pass") {
      console.log(`[-] ${formatAddress(record.address)}: ${verdict.verdict}: ${verdict.reason}`);
    }
  }
  say(summaryLine(counts, "pages"));
  return exitCode(counts);
}

/** All memory of processes that VFIO has pinned, and all that it gave them of devices. */
async function verifyMaps(guest: Session, only: Wanted, json: boolean): Promise<number> {
  const linux = await guest.linux();
  const counts = { pinned: noCounts(), device: noCounts() };
  const unknown = new Set<string>();
  for (const process of await linux.processes()) {
    if (process.root === null || (only && !only(process))) continue;
    const whose = `pid ${process.pid} ${process.comm}`;
    for (
      const { kind, address, lengthBytes, what, fields } of await ranges(linux, process, unknown)
    ) {
      const choice = { pid: process.pid };
      const verdict = await guest.verifyRange(address, lengthBytes, { user: false }, choice);
      counts[kind][verdict.verdict]++;
      if (json) {
        console.log(toJson({ kind, ...choice, ...fields, ...rangeRecord(verdict, whose) }));
        continue;
      }
      const mark = verdict.verdict === "pass" ? "+" : "-";
      console.log(
        `[${mark}] ${formatAddress(address)}, ${formatSize(lengthBytes)} ${
          escapeText(`${what} (${whose})`)
        }: ` +
          `${verdict.verdict}: ${rangeSummary(verdict)}`,
      );
    }
  }
  for (const reason of unknown) {
    const record = { kind: "pinned", verdict: "inconclusive", reason };
    console.log(json ? toJson(record) : `[-] ${escapeText(reason)}`);
  }
  const { pinned, device } = counts;
  pinned.inconclusive += unknown.size;
  if (!json) {
    console.log(summaryLine(pinned, "pinned ranges"));
    console.log(summaryLine(device, "device areas"));
  }
  return exitCode({
    pass: pinned.pass + device.pass,
    fail: pinned.fail + device.fail,
    inconclusive: pinned.inconclusive + device.inconclusive,
  });
}

/** Memory of a process that VFIO has to do with. */
interface VfioRange {
  kind: "pinned" | "device";
  address: bigint;
  lengthBytes: number;
  what: string;
  fields: Record<string, unknown>;
}

/** What VFIO has pinned of a process, then what it gave it of devices. */
async function ranges(
  linux: LinuxGuest,
  process: LinuxProcess,
  unknown: Set<string>,
): Promise<VfioRange[]> {
  const found: VfioRange[] = [];
  for (const { address, iova, lengthBytes, ...fields } of await pinned(linux, process, unknown)) {
    const what = `pinned at IOVA ${formatAddress(iova)}`;
    if (address === null) unknown.add(`pid ${process.pid}: what is ${what} is being handed over`);
    else found.push({ kind: "pinned", address, lengthBytes, what, fields: { iova, ...fields } });
  }
  for (const { start, end, kind, name } of await linux.vmas(process)) {
    if (kind !== "vfio") continue;
    const place = { address: start, lengthBytes: Number(end - start) };
    found.push({ kind: "device", ...place, what: `of ${name}`, fields: { name } });
  }
  return found;
}

/** What VFIO has pinned of a process; where that is not to be known, why. */
async function pinned(
  linux: LinuxGuest,
  process: LinuxProcess,
  unknown: Set<string>,
): ReturnType<LinuxGuest["vfioMappings"]> {
  try {
    return await linux.vfioMappings(process);
  } catch (error) {
    const isKnown = error instanceof CapabilityError || error instanceof InconsistentListError ||
      error instanceof KernelFormatError;
    if (!isKnown) throw error;
    unknown.add(error.message);
    return [];
  }
}

/** How many pages or ranges have which verdict. */
type Counts = Record<VerdictKind, number>;

function noCounts(): Counts {
  return { pass: 0, fail: 0, inconclusive: 0 };
}

function summaryLine({ pass, fail, inconclusive }: Counts, what: string): string {
  const total = pass + fail + inconclusive;
  if (total === 0) return `[!] No ${what}`;
  return `[${pass === total ? "+" : "-"}] ${pass} of ${total} ${what} pass`;
}

function exitCode({ pass, fail, inconclusive }: Counts): number {
  if (pass + fail + inconclusive === 0) return EXIT.INCONCLUSIVE;
  return exitCodeOf(fail > 0 ? "fail" : inconclusive > 0 ? "inconclusive" : "pass");
}
