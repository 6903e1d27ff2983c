/** The same walk and the same listing through every door of one Linux guest. */
import {
  connect,
  type ConnectOptions,
  mappings,
  type PhysicalMemory,
  type Session,
  walk,
} from "../../mod.ts";
import { startLab } from "../lab/mod.ts";
import { type BenchRow, median, ms, timeMs } from "./_measure.ts";
import { getAvailablePort } from "@std/net";

interface Door {
  name: string;
  endpoint: string;
  options?: ConnectOptions;
  aimMs?: number;
}

interface Figures {
  walkMs: number;
  listMs: number;
  reads: number;
  bytes: number;
  pages: number;
}

/** Measures each door, start-up and connecting not counted, and holds it against the slowest. */
export async function doorsBench(): Promise<BenchRow[]> {
  const qmpPort = getAvailablePort();
  await using guest = await startLab("4-level", {
    ramFile: true,
    qemuArguments: [
      ...["-qmp", `tcp:127.0.0.1:${qmpPort},server=on,wait=off`],
      ...["-monitor", "unix:{folder}/monitor.sock,server=on,wait=off"],
    ],
  });
  const hmp = `127.0.0.1:${guest.monitorPort}`;
  const doors: Door[] = [
    { name: "HMP over TCP", endpoint: hmp, aimMs: 250 },
    { name: "HMP over a Unix socket", endpoint: `unix:${guest.folder}/monitor.sock` },
    { name: "QMP over TCP", endpoint: `qmp:127.0.0.1:${qmpPort}`, aimMs: 120 },
    { name: "RAM file", endpoint: hmp, options: { ram: [guest.ramFile!] }, aimMs: 15 },
    // Last: it pauses the guest while it is open.
    { name: "gdbstub", endpoint: `gdb:127.0.0.1:${guest.gdbPort}`, aimMs: 40 },
  ];
  const figures: [Door, Figures][] = [];
  for (const door of doors) {
    await using session = await connect(door.endpoint, door.options);
    figures.push([door, await measure(session, guest.target.root)]);
  }
  const slowest = Math.max(...figures.map(([, { listMs }]) => listMs));
  return figures.map(([{ name, aimMs }, { walkMs, listMs, reads, bytes, pages }]) => ({
    name: `listing, ${name}`,
    figure: ms(listMs),
    against: `${pages} pages, ${reads} reads, ${(bytes / 1024).toFixed(0)} KiB, a walk ${
      ms(walkMs)
    }`,
    ratio: `${(slowest / listMs).toFixed(1)} times the slowest door's speed`,
    ...aimMs !== undefined && { aim: `${aimMs} ms` },
  }));
}

async function measure(session: Session, root: bigint): Promise<Figures> {
  const { context } = await session.pageTable({ root });
  const counted = countReads(session.memory);
  let pages = 0;
  const list = async () => {
    pages = 0;
    counted.reads = counted.bytes = 0;
    for await (const record of mappings(counted.memory, context, {}, { pages: true })) {
      if (record.kind === "mapping") pages++;
    }
  };
  await list(); // warms up what is compiled at run time
  const { reads, bytes } = counted;
  const listings = [await timeMs(list), await timeMs(list), await timeMs(list)];
  const walks: number[] = [];
  for (let i = 0; i < 20; i++) {
    walks.push(await timeMs(() => walk(session.memory, context, 0x7f1234567000n)));
  }
  return { walkMs: median(walks), listMs: median(listings), reads, bytes, pages };
}

function countReads(
  memory: PhysicalMemory,
): { memory: PhysicalMemory; reads: number; bytes: number } {
  const counted = {
    reads: 0,
    bytes: 0,
    memory: {
      read(address, lengthBytes, options) {
        counted.reads++;
        counted.bytes += lengthBytes;
        return memory.read(address, lengthBytes, options);
      },
    } satisfies PhysicalMemory as PhysicalMemory,
  };
  return counted;
}
