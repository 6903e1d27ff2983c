/** What the DMA side costs on a guest with VFIO: commands of the monitor and time, each beside another. */
import { connect, type Session, verifyVfio, VfioTally } from "../../mod.ts";
import { deviceMappings } from "../../src/entries/devices.ts";
import { startLab } from "../lab/mod.ts";
import { count } from "./_count.ts";
import { median, ms, timeMs } from "./_measure.ts";
import { type BenchTable, printTable } from "./_table.ts";

const ROUNDS = 3;

/** Devices, what one of them reaches, the check without and with both sides, and the audit. */
export async function iommuBench(): Promise<BenchTable> {
  await using lab = await startLab("4-level");
  const check = (iommu: boolean) => async (guest: Session) => {
    const tally = new VfioTally();
    for await (const judged of verifyVfio(guest, { sources: ["pinned"], iommu })) tally.add(judged);
  };
  const tasks: [string, (guest: Session) => Promise<unknown>][] = [
    ["devices and their state", async (guest) => await (await guest.iommu()).devices()],
    ["what one device reaches, 1 MiB", async (guest) => {
      const device = await (await guest.iommu()).device("00:03.0");
      await Array.fromAsync(deviceMappings(guest.memory, device));
    }],
    ["pinned pages, process's side", check(false)],
    ["pinned pages, both sides", check(true)],
    ["audit of all devices", async (guest) => await Array.fromAsync(guest.auditDma())],
  ];
  const rows: string[][] = [];
  for (const [name, task] of tasks) {
    await using guest = await connect(lab.monitorPort);
    await task(guest); // What is learned of the kernel once is not counted.
    const times: number[] = [];
    const counted = count(guest, true);
    for (let round = 0; round < ROUNDS; round++) times.push(await timeMs(() => task(guest)));
    rows.push([name, ms(median(times)), String(Math.round(counted.commands / ROUNDS))]);
  }
  return { head: ["DMA", "time", "commands"], rows };
}

if (import.meta.main) printTable(await iommuBench());
