/** What it costs to list an address space, beside QEMU's own `info tlb` and `info mem`. */
import { connect, type Session } from "../../mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { type BenchRow, ms, timePairs } from "./_measure.ts";

/** 32 MiB: above the bare guest's own tables and pages. */
const TABLES_AT = 0x200_0000n;
const LEAVES = [10_240, 102_400, 1_024_000];

/** Lists 10,000 to 1,000,000 pages of 4 KiB over a plain TCP monitor. */
export async function mappingsBench(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const leaves of LEAVES) rows.push(...await measure(leaves));
  return rows;
}

async function measure(leaves: number): Promise<BenchRow[]> {
  await using running = await startBareGuest("4-level", {
    vcpus: 1,
    memoryBytes: 128 << 20,
    memoryFile: true,
  });
  await writeTables(running.memoryFile!, running.guest.vcpus[0]!.tables!.root, leaves);
  await using guest = await connect(running.monitorPort, { allowUnsafe: ["info mem", "info tlb"] });
  const listed = await countPages(guest);
  const qemuRows = (await guest.monitor.command("info tlb")).split("\n").length;
  if (listed !== qemuRows) throw new Error(`${listed} pages listed, ${qemuRows} by info tlb`);

  const rounds = leaves > 500_000 ? 1 : 3;
  const list = () => countPages(guest);
  const tlb = await timePairs(rounds, list, () => guest.monitor.command("info tlb"));
  const mem = await timePairs(rounds, list, () => guest.monitor.command("info mem"));
  return [
    {
      name: `mappings of ${listed} pages`,
      figure: `${ms(tlb.aMs)}, ${(tlb.aMs * 1e3 / listed).toFixed(2)} us a page`,
      against: `info tlb ${ms(tlb.bMs)}`,
      ratio: `${tlb.ratio.toFixed(2)} of its time`,
    },
    {
      name: "",
      figure: ms(mem.aMs),
      against: `info mem ${ms(mem.bMs)}`,
      ratio: `${mem.ratio.toFixed(2)} of its time`,
    },
  ];
}

async function countPages(guest: Session): Promise<number> {
  let pages = 0;
  for await (const record of guest.mappings()) if (record.kind === "mapping") pages += record.pages;
  return pages;
}

/** Hangs tables full of small pages below an entry of the guest's own root, in its RAM file. */
async function writeTables(path: string, root: bigint, leaves: number): Promise<void> {
  const pts = leaves / 512;
  const pds = Math.ceil(pts / 512);
  const table = (n: number) => TABLES_AT + BigInt(n * 4096);
  const entries = new BigUint64Array((1 + pds + pts) * 512);
  for (let pd = 0; pd < pds; pd++) entries[pd] = table(1 + pd) | 7n;
  for (let pt = 0; pt < pts; pt++) entries[512 + pt] = table(1 + pds + pt) | 7n;
  for (let page = 0; page < leaves; page++) {
    const frame = BigInt((page * 37) % 16_384);
    entries[(1 + pds) * 512 + page] = (frame << 12n) | 0x8000_0000_0000_0867n;
  }
  using file = await Deno.open(path, { write: true });
  await writeAt(file, TABLES_AT, entries);
  await writeAt(file, root + 254n * 8n, BigUint64Array.of(table(0) | 7n));
}

async function writeAt(file: Deno.FsFile, at: bigint, words: BigUint64Array): Promise<void> {
  await file.seek(at, Deno.SeekMode.Start);
  const bytes = new Uint8Array(words.buffer);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

if (import.meta.main) {
  for (const { name, figure, against, ratio } of await mappingsBench()) {
    console.log([name.padEnd(28), figure.padEnd(28), against.padEnd(22), ratio].join(" "));
  }
}
