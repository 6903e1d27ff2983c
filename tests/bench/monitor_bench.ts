/** What one monitor command costs over a plain `-monitor tcp:…`, with and without the nudge. */
import { connect, examineMemory } from "../../mod.ts";
import { type BenchRow, median, ms, timeMs } from "./_measure.ts";

/** Measures one `xp`, and one whole table, against a client that waits for the prompt. */
export async function monitorBench(monitorPort: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (
    const [name, lengthBytes, count] of [["one entry", 8, 200], ["one table", 4096, 100]] as const
  ) {
    const nudged = await perRead(monitorPort, true, lengthBytes, count);
    const waiting = await perRead(monitorPort, false, lengthBytes, 12);
    rows.push({
      name: `xp of ${name} over tcp:`,
      figure: ms(nudged),
      against: `waiting for the prompt ${ms(waiting)}`,
      ratio: `${(waiting / nudged).toFixed(0)} times faster`,
      ...lengthBytes === 8 && { aim: "80 times" },
    });
  }
  return rows;
}

async function perRead(
  monitorPort: number,
  nudge: boolean,
  lengthBytes: number,
  count: number,
): Promise<number> {
  await using guest = await connect(monitorPort, { nudge });
  const figures: number[] = [];
  for (let i = 0; i < count; i++) {
    figures.push(await timeMs(() => examineMemory(guest.monitor, 0x100_0000n, lengthBytes)));
  }
  return median(figures);
}
