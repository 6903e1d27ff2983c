/** What it costs to judge every page of a buffer, against asking page by page. */
import {
  connect,
  formatAddress,
  type Monitor,
  MonitorMemory,
  type PagingContext,
  verifyRange,
  walk,
  withRoot,
} from "../../mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { type BenchRow, ms, timeMs } from "./_measure.ts";
import { peakMebibytes } from "./_process.ts";

const START = 0x7f00_0000_0000n;
const TABLES_AT = 0x2000_0000n;
const GIB = 2 ** 30;

/** Measures ranges of 1 MiB and 1 GiB, in pages of 4 KiB, over a plain TCP monitor. */
export async function rangeBench(): Promise<BenchRow[]> {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, tablesOfOneGib());
    const loader = `loader,file=${file},addr=${formatAddress(TABLES_AT)},force-raw=on`;
    await using running = await startBareGuest("4-level", {
      memoryBytes: GIB,
      extraArgs: ["-device", loader],
    });
    const rows: BenchRow[] = [];
    for (const [name, lengthBytes] of [["1 MiB", 2 ** 20], ["1 GiB", GIB]] as const) {
      rows.push(...await measure(running.monitorPort, name, lengthBytes));
    }
    return rows;
  } finally {
    await Deno.remove(file);
  }
}

async function measure(port: number, name: string, lengthBytes: number): Promise<BenchRow[]> {
  await using guest = await connect(port);
  const context = withRoot((await guest.pageTable()).context, TABLES_AT);
  const counted = countCommands(guest.monitor);
  const memory = new MonitorMemory(counted.monitor);
  await memory.read(TABLES_AT, 8); // has the memory map read
  counted.commands = 0;

  const range = { start: START, lengthBytes };
  let tables = 0;
  const takenMs = await timeMs(async () => {
    const { passed, pages, tables: read } = await verifyRange(memory, context, range);
    if (passed !== pages || pages !== lengthBytes / 4096) throw new Error(`${passed} of ${pages}`);
    tables = read;
  });
  const { commands } = counted;
  const pageByPageMs = await perPage(memory, context) * lengthBytes / 4096;
  const script = new URL("../../examples/verify_range.ts", import.meta.url).pathname;
  const args = [
    `${port}`,
    formatAddress(START),
    `${lengthBytes}`,
    "--root",
    formatAddress(TABLES_AT),
  ];
  const peak = await peakMebibytes([script, ...args]);
  return [{
    name: `${name} (${lengthBytes / 4096} pages)`,
    figure: ms(takenMs),
    against: `page by page ${ms(pageByPageMs)}`,
    ratio: `${(pageByPageMs / takenMs).toFixed(0)} times faster`,
    ...lengthBytes === GIB && { aim: "well under 1000 ms" },
  }, {
    name: "  commands, tables, peak memory",
    figure: `${commands}`,
    against: `${tables} tables`,
    ratio: `${peak.toFixed(0)} MiB for the whole script`,
  }];
}

/** Milliseconds for one page alone, each of its entries read: the mean of 200 pages. */
async function perPage(memory: MonitorMemory, context: PagingContext): Promise<number> {
  const pages = 200;
  const takenMs = await timeMs(async () => {
    for (let page = 0; page < pages; page++) {
      await walk(memory, context, START + BigInt(page * 4096), { recheck: false });
    }
  });
  return takenMs / pages;
}

/** One PML4, one PDPT, one PD and 512 PTs, whose 262,144 pages all lack _PAGE_USER. */
function tablesOfOneGib(): Uint8Array<ArrayBuffer> {
  const entries = new BigUint64Array(515 * 512);
  const table = (n: number) => TABLES_AT + BigInt(n * 4096);
  entries[Number(START >> 39n & 511n)] = table(1) | 7n;
  entries[512 + Number(START >> 30n & 511n)] = table(2) | 7n;
  for (let pt = 0; pt < 512; pt++) {
    entries[2 * 512 + pt] = table(3 + pt) | 7n;
    for (let page = 0; page < 512; page++) {
      entries[(3 + pt) * 512 + page] = (BigInt(pt * 512 + page) << 12n) | 0x63n;
    }
  }
  return new Uint8Array(entries.buffer);
}

function countCommands(monitor: Monitor): { monitor: Monitor; commands: number } {
  const counted = {
    commands: 0,
    monitor: {
      endpoint: monitor.endpoint,
      qemuVersion: monitor.qemuVersion,
      command(line, options) {
        counted.commands++;
        return monitor.command(line, options);
      },
      close: () => monitor.close(),
      [Symbol.asyncDispose]: () => monitor.close(),
    } satisfies Monitor as Monitor,
  };
  return counted;
}
