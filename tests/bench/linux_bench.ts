/** What it costs to find a Linux guest's processes, from connecting to the list, by each connector. */
import { connect } from "../../mod.ts";
import { count } from "./_count.ts";
import { type BenchConnector, renewDump, startBenchGuest } from "./_lab_connectors.ts";
import { median, ms, timeMs } from "./_measure.ts";
import { type BenchTable, printTable } from "./_table.ts";

const ROUNDS = 5;
const MANY = 1000;

/** What one attach with its list took. */
interface Attach {
  takenMs: number;
  processes: number;
  commands: number;
  reads: number;
  readBytes: number;
}

/** Lists some 60 and some 1,000 processes, knowing nothing of the kernel, and knowing its build. */
export async function linuxBench(): Promise<BenchTable> {
  await using guest = await startBenchGuest();
  const cache = `${guest.lab.folder}/kernels`;
  const rows: string[][] = [];
  for (const isMany of [false, true]) {
    if (isMany) {
      await guest.lab.shell(`for n in $(seq ${MANY}); do sleep 100000 > /dev/null 2>&1 & done`);
    }
    await renewDump(guest);
    for (const connector of guest.connectors) {
      const cold = await measure(connector);
      const cached = await measure({
        ...connector,
        options: { ...connector.options, kernelCacheDir: cache },
      });
      const hasAims = connector.name === "HMP over TCP" && !isMany;
      rows.push(
        row(`${connector.name}, cold`, cold, hasAims ? "400 ms" : ""),
        row(`${connector.name}, cached`, cached, hasAims ? "100 ms" : ""),
      );
    }
  }
  return { head: ["connector", "processes", "time", "commands", "reads", "KiB", "aim"], rows };
}

function row(name: string, attach: Attach, aim: string): string[] {
  const { commands, processes, readBytes, reads, takenMs } = attach;
  const figures = [processes, ms(takenMs), commands, reads, (readBytes / 1024).toFixed(0)];
  return [name, ...figures.map(String), aim];
}

/** The middle of some rounds; the first one warms up, and fills the cache, and is not counted. */
async function measure(connector: BenchConnector): Promise<Attach> {
  const rounds: Attach[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const one = await attach(connector);
    if (round > 0) rounds.push(one);
  }
  return { ...rounds.at(-1)!, takenMs: median(rounds.map(({ takenMs }) => takenMs)) };
}

async function attach({ endpoint, options }: BenchConnector): Promise<Attach> {
  let counted = { commands: 0, reads: 0, readBytes: 0 };
  let processes = 0;
  const takenMs = await timeMs(async () => {
    await using session = await connect(endpoint, options);
    counted = count(session, !endpoint.startsWith("dump:"));
    const linux = await session.linux();
    processes = (await linux.processes()).length;
  });
  const { commands, reads, readBytes } = counted;
  return { takenMs, processes, commands, reads, readBytes };
}

if (import.meta.main) printTable(await linuxBench());
