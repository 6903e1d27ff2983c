/**
 * `deno task bench`: speed on a real QEMU, each figure beside another of the same run. Absolute times
 * move with the machine; the ratios are what to look at.
 */
import { formatAddress } from "../../mod.ts";
import { qemuAvailable, startBareGuest } from "../../src/testing/mod.ts";
import type { BenchRow } from "../bench/_measure.ts";
import { connectorsBench } from "../bench/connectors_bench.ts";
import { iommuBench } from "../bench/iommu_bench.ts";
import { linuxBench } from "../bench/linux_bench.ts";
import { mappingsBench } from "../bench/mappings_bench.ts";
import { monitorBench } from "../bench/monitor_bench.ts";
import { processBench } from "../bench/process_bench.ts";
import { rangeBench } from "../bench/range_bench.ts";
import { replBench } from "../bench/repl_bench.ts";
import { vfioBench } from "../bench/vfio_bench.ts";
import { printTable } from "../bench/_table.ts";

const qemu = await qemuAvailable();
if (!qemu) {
  console.error(
    "No qemu-system-x86_64 on PATH: the bench measures a real QEMU (apt-get install qemu-system-x86)",
  );
  Deno.exit(1);
}
console.log(
  `Deno ${Deno.version.deno}, QEMU ${qemu.version}, ${navigator.hardwareConcurrency} processors\n`,
);

await using guest = await startBareGuest("4-level");
const address = formatAddress(guest.guest.pages.sharedVa);
print("The monitor", await monitorBench(guest.monitorPort));
print("A check", await processBench(guest.monitorPort, address));
print("The REPL", await replBench(guest.monitorPort));
print("A range", await rangeBench());
print("A whole address space", await mappingsBench());
console.log("A Linux guest's processes, from connecting to the list");
printTable(await linuxBench());
console.log("\nVFIO's checks of one Linux guest, beyond finding its kernel");
printTable(await vfioBench());
console.log("\nThe DMA side of a guest with VFIO, its kernel known");
printTable(await iommuBench());
console.log(
  "\nThe connectors of one Linux guest: a walk and a listing; ratio: to the slowest listing",
);
printTable(await connectorsBench());

function print(title: string, rows: readonly BenchRow[]): void {
  console.log(title);
  for (const { name, figure, against, ratio, aim } of rows) {
    console.log(
      `  ${name.padEnd(36)} ${figure.padStart(9)}   ${against}: ${ratio}${
        aim ? ` (aim: ${aim})` : ""
      }`,
    );
  }
  console.log();
}
