/** The same walk and the same listing through every connector of one Linux guest. */
import type { ConnectorFigures, ConnectorTask } from "./_connector_process.ts";
import { type BenchConnector, renewDump, startBenchGuest } from "./_lab_connectors.ts";
import { ms } from "./_measure.ts";
import { peakMebibytes, runWithPeak } from "./_process.ts";
import { type BenchTable, printTable } from "./_table.ts";

/** What a listing may take, in milliseconds, by the connector. */
const AIMS: Readonly<Record<string, number>> = {
  "HMP over TCP": 250,
  "QMP over TCP": 120,
  "RAM file beside HMP": 15,
  gdbstub: 40,
};

/** Measures each connector, start-up and connecting not counted, and holds it against the slowest. */
export async function connectorsBench(): Promise<BenchTable> {
  await using guest = await startBenchGuest();
  await renewDump(guest);
  const root = `0x${guest.lab.target.root.toString(16)}`;
  const measured: { connector: BenchConnector; figures: ConnectorFigures; peakMib: number }[] = [];
  for (const connector of guest.connectors) {
    const { endpoint, options } = connector;
    const task: ConnectorTask = { endpoint, options, root };
    const script = new URL("./_connector_process.ts", import.meta.url).pathname;
    const { stdout, peakMib } = await runWithPeak([script, JSON.stringify(task)]);
    measured.push({ connector, figures: JSON.parse(stdout), peakMib });
  }
  const slowest = Math.max(...measured.map(({ figures }) => figures.listMs));
  const empty = new URL("./_empty.ts", import.meta.url).pathname;
  return {
    head: [
      "connector",
      "walk",
      "listing",
      "commands",
      "reads",
      "KiB",
      "pages",
      "peak",
      "ratio",
      "aim",
    ],
    rows: [
      ...measured.map(({ connector: { name }, figures, peakMib }) => [
        name,
        ms(figures.walkMs),
        ms(figures.listMs),
        `${figures.commands}`,
        `${figures.reads}`,
        (figures.readBytes / 1024).toFixed(0),
        `${figures.pages}`,
        `${peakMib.toFixed(0)} MiB`,
        (slowest / figures.listMs).toFixed(1),
        name in AIMS ? `${AIMS[name]} ms` : "",
      ]),
      [
        "(an empty script)",
        ...Array(6).fill(""),
        `${(await peakMebibytes([empty])).toFixed(0)} MiB`,
      ],
    ],
  };
}

if (import.meta.main) printTable(await connectorsBench());
