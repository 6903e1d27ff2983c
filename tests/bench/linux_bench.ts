/** What it costs to find a Linux guest's processes, from connecting to the list. */
import { connect, type ConnectOptions, type Monitor } from "../../mod.ts";
import { startLab } from "../lab/mod.ts";
import { type BenchRow, median, ms, timeMs } from "./_measure.ts";

const ROUNDS = 5;
const MANY = 1000;

/** What one attach with its list took. */
interface Attach {
  takenMs: number;
  commands: number;
  replyBytes: number;
  processes: number;
}

/** Lists some 60 and some 1,000 processes, knowing nothing of the kernel, and knowing its build. */
export async function linuxBench(): Promise<BenchRow[]> {
  await using lab = await startLab("4-level", {
    ramFile: true,
    qemuArguments: ["-qmp", "unix:{folder}/qmp.sock,server=on,wait=off"],
  });
  const cache = `${lab.folder}/kernels`;
  const doors: [name: string, endpoint: string, options: ConnectOptions][] = [
    ["tcp:", `${lab.monitorPort}`, {}],
    ["qmp:unix:", `qmp:unix:${lab.folder}/qmp.sock`, {}],
    ["tcp:, RAM file", `${lab.monitorPort}`, { ram: [lab.ramFile!] }],
  ];
  const rows: BenchRow[] = [];
  for (const isMany of [false, true]) {
    if (isMany) {
      await lab.shell(`for n in $(seq ${MANY}); do sleep 100000 > /dev/null 2>&1 & done`);
    }
    for (const [name, endpoint, options] of doors) {
      const cold = await measure(endpoint, options);
      const cached = await measure(endpoint, { ...options, kernelCacheDir: cache });
      const hasAims = name === "tcp:" && !isMany;
      rows.push(
        row(`${name} cold, ${cold.processes} processes`, cold, hasAims && "under 400 ms"),
        row(`${name} cached, ${cached.processes} processes`, cached, hasAims && "under 100 ms"),
      );
    }
  }
  return rows;
}

function row(
  name: string,
  { commands, replyBytes, takenMs }: Attach,
  aim: string | false,
): BenchRow {
  return {
    name,
    figure: ms(takenMs),
    against: `${commands} commands`,
    ratio: `${(replyBytes / 1024).toFixed(0)} KiB of replies`,
    ...aim !== false && { aim },
  };
}

/** The middle of some rounds; the first one warms up, and fills the cache, and is not counted. */
async function measure(endpoint: string, options: ConnectOptions): Promise<Attach> {
  const rounds: Attach[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const one = await attach(endpoint, options);
    if (round > 0) rounds.push(one);
  }
  return { ...rounds.at(-1)!, takenMs: median(rounds.map(({ takenMs }) => takenMs)) };
}

async function attach(endpoint: string, options: ConnectOptions): Promise<Attach> {
  const counted = { commands: 0, replyBytes: 0 };
  let processes = 0;
  const takenMs = await timeMs(async () => {
    await using guest = await connect(endpoint, options);
    count(guest.monitor, counted);
    const linux = await guest.linux();
    processes = (await linux.processes()).length;
  });
  return { takenMs, processes, ...counted };
}

/** Counts what goes through a monitor from now on: the few commands of connecting are not in it. */
function count(monitor: Monitor, counted: { commands: number; replyBytes: number }): void {
  const { command } = monitor;
  monitor.command = async (line, options) => {
    const reply = await command.call(monitor, line, options);
    counted.commands++;
    counted.replyBytes += reply.length;
    return reply;
  };
}

if (import.meta.main) {
  for (const { name, figure, against, ratio, aim } of await linuxBench()) {
    console.log([name.padEnd(36), figure.padStart(9), against, ratio, aim ?? ""].join("  "));
  }
}
