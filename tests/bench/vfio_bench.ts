/** What VFIO's checks cost a guest, by each connector: the driver's list, and the log with its owner gone. */
import { connect, type Session, verifyVfio, type VfioSource } from "../../mod.ts";
import { count } from "./_count.ts";
import { type BenchConnector, renewDump, startBenchGuest } from "./_lab_connectors.ts";
import { ms, timeMs } from "./_measure.ts";
import { type BenchTable, printTable } from "./_table.ts";

/** What one check took, beyond finding the guest's kernel. */
interface Check {
  takenMs: number;
  results: number;
  commands: number;
  reads: number;
  readBytes: number;
}

/** Judges what VFIO has pinned, then, when the process has been killed, what the log says of it. */
export async function vfioBench(): Promise<BenchTable> {
  await using guest = await startBenchGuest();
  const rows: string[][] = [];
  for (const [what, source] of [["pinned", "pinned"], ["log, owner gone", "log"]] as const) {
    if (source === "log") await guest.lab.shell(`kill -9 ${guest.lab.target.pid}`);
    await renewDump(guest);
    for (const connector of guest.connectors) {
      const { commands, readBytes, reads, results, takenMs } = await measure(connector, source);
      rows.push([
        `${connector.name}, ${what}`,
        ...[results, ms(takenMs), commands, reads, (readBytes / 1024).toFixed(0)].map(String),
      ]);
    }
  }
  return { head: ["connector", "results", "time", "commands", "reads", "KiB"], rows };
}

async function measure({ endpoint, options }: BenchConnector, source: VfioSource): Promise<Check> {
  await using session = await connect(endpoint, options);
  // What any other check takes, too.
  await (await session.linux()).processes();
  return await checked(session, source, !endpoint.startsWith("dump:"));
}

/** Counts one check of one source. */
export async function checked(
  session: Session,
  source: VfioSource,
  hasMonitor = true,
): Promise<Check> {
  const counted = count(session, hasMonitor);
  let results = 0;
  const takenMs = await timeMs(async () => {
    const sources = [source] as Exclude<VfioSource, "iommu">[];
    for await (const { kind } of verifyVfio(session, { sources, iommu: false })) {
      if (kind !== "source") results++;
    }
  });
  const { commands, readBytes, reads } = counted;
  return { takenMs, results, commands, reads, readBytes };
}

if (import.meta.main) printTable(await vfioBench());
