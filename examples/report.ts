/**
 * Writes one self-contained HTML page about an address space of a running guest, or of snapshots: a map,
 * the tables to any address, each entry's bits, the findings, and two states side by side.
 *
 *     deno run --allow-net=127.0.0.1:1334 --allow-write=. report.ts 1334 -o report.html
 *     deno run --allow-net=127.0.0.1 report.ts 1334 --comm target --serve
 */
import {
  audit,
  diff,
  encodeSnapshot,
  type Finding,
  MonitorMemory,
  nameAddressSpace,
  type NamedSpace,
  type Snapshot,
  snapshot,
} from "@pagewalk/pagewalk";
import { groupDevices } from "@pagewalk/pagewalk/devices";
import {
  findingLine,
  htmlReport,
  PLAIN,
  type ReportData,
  type ReportSide,
  serveReport,
  toBase64,
} from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  DEVICE_TABLE_OPTIONS,
  escapeMessage,
  escapeText,
  EXIT,
  flag,
  formatAddress,
  formatSize,
  FREEZE_OPTION,
  GUEST_OR_SNAPSHOT,
  InvalidArgumentError,
  isSnapshotFile,
  ProgressBar,
  reading,
  readingOnce,
  readSnapshot,
  runCommand,
  type Session,
  TABLE_OPTIONS,
  tableChoice,
  value,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

/** More than anyone reads; a page must not grow without end. */
const MAX_FINDINGS = 5000;

await runCommand({
  name: "report.ts",
  purpose: "Write one self-contained HTML page about an address space",
  positionals: [GUEST_OR_SNAPSHOT],
  options: {
    output: value("FILE", "the page to write (default report.html)", (text) => text),
    o: value("FILE", "the page to write, as --output", (text) => text),
    before: value("FILE", "an earlier snapshot, to compare with", (text) => text),
    title: value("TEXT", "the page's title", (text) => text),
    serve: flag(
      "serve the page on loopback instead, and let it follow the guest until Ctrl-C: " +
        "also needs --allow-net=127.0.0.1, and writes no file; with --freeze each reading pauses it, " +
        "about once a second while a page is in sight",
    ),
    port: wholeNumber("N", "the port of --serve (default: one that is free)"),
    devices: flag("add what the devices behind the IOMMU reach, and link what maps the same frame"),
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...FREEZE_OPTION,
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-read=. --allow-write=.",
  examples: [
    "1334 -o report.html",
    "1334 --root 0x246f000 --before before.pwsnap",
    "1334 --comm target --serve",
    "1334 --comm target --devices",
    "sim:",
  ],
}, async ({ positionals: [target], options }) => {
  await using guests = new AsyncDisposableStack();
  const findings: Finding[] = [];

  async function collect(found: AsyncIterable<Finding>): Promise<void> {
    for await (const one of found) {
      findings.push(one);
      if (findings.length < MAX_FINDINGS) continue;
      console.error(`note: the page has the first ${MAX_FINDINGS} findings: audit.ts lists more`);
      break;
    }
  }

  const devices: ReportSide[] = [];
  /** One address space for all devices of a domain. */
  async function takeDevices(guest: Session): Promise<void> {
    const found = await (await guest.iommu()).devices();
    for (const problem of found.problems) console.error(`note: ${escapeMessage(problem)}`);
    for (const { devices: [first, ...others] } of groupDevices(found.devices)) {
      if (first.regime === undefined) continue;
      if (first.recorded !== undefined) {
        const what = "the page shows tables, and those of a virtio IOMMU are QEMU's own";
        console.error(`note: ${first.device} is left out: ${what}`);
        continue;
      }
      const name = [first, ...others].map(({ device }) => device).join(", ");
      const source = `domain ${first.domain} of ${guest.endpoint}`;
      devices.push(await side(name, await snapshot(guest.memory, first.regime, { source })));
    }
  }

  async function take(): Promise<Taken> {
    if (isSnapshotFile(target!)) {
      if (options.devices) {
        throw new InvalidArgumentError("--devices asks a guest: a snapshot has none", target);
      }
      if (options.serve) {
        throw new InvalidArgumentError(
          "--serve follows a guest: a snapshot does not change, so leave --serve out",
          target,
        );
      }
      const taken = await readSnapshot(target!);
      await collect(audit(taken));
      return { taken };
    }
    const guest = guests.use(await connectTo(target!, options));
    return await readingOnce(guest, options, async () => {
      // Looked up once, and read once: the findings are about the tables that the page shows.
      const { context } = await guest.tables(tableChoice(options));
      const { endpoint: source, memory } = guest;
      using bar = new ProgressBar();
      const onProgress = bar.counting("tables");
      const taken = await snapshot(memory, context, { source, onProgress });
      const ranges = memory instanceof MonitorMemory ? { ranges: await memory.ranges() } : {};
      await collect(audit(taken, ranges));
      if (options.devices) await takeDevices(guest);
      // The names of the processor's address space are not those of a device's.
      const isDevice = options.device !== undefined;
      return { taken, again, ...!isDevice && { named: await nameAddressSpace(guest, context) } };

      /** A process that was named is looked up again: it may have ended. */
      async function again(): Promise<Snapshot> {
        const { pid, comm, cmdline } = options;
        const isProcess = [pid, comm, cmdline].some((name) => name !== undefined);
        return await reading(guest, options, async () => {
          const now = isProcess ? (await guest.tables(tableChoice(options))).context : context;
          return await snapshot(memory, now, { source });
        });
      }
    });
  }

  async function side(name: string, taken: Snapshot, named?: NamedSpace): Promise<ReportSide> {
    const file = toBase64(await encodeSnapshot(taken));
    const regions = named?.regions.map(({ start, end, name }) => ({
      start: formatAddress(start),
      end: formatAddress(end),
      name,
    }));
    return { name, file, ...named && { facts: named.facts, regions: regions! } };
  }

  const { taken: now, named, again } = await take();
  const sides = [await side(options.before === undefined ? "now" : "after", now, named)];
  if (options.before !== undefined) {
    sides.unshift(await side("before", await readSnapshot(options.before)));
  }
  const data: ReportData = {
    title: options.title ?? `Address space ${formatAddress(now.context.root)} of ${now.source}`,
    sides,
    ...devices.length > 0 && { devices },
    findings: findings.map((found) => ({
      rule: found.rule,
      severity: found.severity,
      address: formatAddress(found.address),
      text: findingLine(found, PLAIN),
    })),
  };
  if (options.serve) {
    let last = { taken: now, side: sides.at(-1)! };
    const { url, finished } = serveReport({
      data,
      async read() {
        const taken = await again!();
        if (!await isSame(last.taken, taken)) {
          last = { taken, side: await side("now", taken, named) };
        }
        return last.side;
      },
    }, { ...options.port !== undefined && { port: options.port } });
    console.log(`[+] ${url} (Ctrl-C ends it)`);
    await finished;
    return EXIT.PASS;
  }
  const html = htmlReport(data);
  const output = options.output ?? options.o ?? "report.html";
  await Deno.writeTextFile(output, html);
  const bytes = new TextEncoder().encode(html).length;
  console.log(`[+] ${escapeText(output)}: ${formatSize(Math.ceil(bytes / 1024) * 1024)}`);
  return EXIT.PASS;
});

/** What a report is made from, and what reads it again. */
interface Taken {
  taken: Snapshot;
  named?: NamedSpace;
  again?: () => Promise<Snapshot>;
}

async function isSame(before: Snapshot, after: Snapshot): Promise<boolean> {
  for await (const _ of diff(before, after)) return false;
  return true;
}
