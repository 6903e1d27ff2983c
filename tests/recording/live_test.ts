import { assertEquals } from "@std/assert";
import { startBareGuest } from "../../src/testing/mod.ts";
import { connect, readTlb } from "../../mod.ts";
import { toJson, verdictRecord } from "../../src/report/mod.ts";
import { liveTest } from "../live.ts";

liveTest("a recording of a real guest gives the identical verdicts without it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-recording-" });
  try {
    for (const mode of ["none", "32-bit", "pae", "4-level", "5-level"] as const) {
      const path = `${folder}/${mode}.jsonl`;
      const verdicts = async (endpoint: string, record?: string) => {
        await using guest = await connect(endpoint, record === undefined ? {} : { record });
        const found = [];
        for (const { cpu } of await guest.allRegisters()) {
          for (
            const row of await readTlb(guest.monitor, { cpu, allowUnsafe: ["info tlb"] }) ?? []
          ) {
            found.push(await guest.verify(row.virtualAddress, undefined, { cpu }));
          }
          found.push(await guest.verify(0x1234n, undefined, { cpu }));
        }
        return found.map((verdict) => toJson(verdictRecord(verdict)));
      };
      let live: string[];
      {
        await using running = await startBareGuest(mode);
        live = await verdicts(`${running.monitorPort}`, path);
      }
      assertEquals(await verdicts(`replay:${path}`), live);
      console.log(`  ${mode}: ${live.length} verdicts, identical with QEMU gone`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
