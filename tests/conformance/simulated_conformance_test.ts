import { assertEquals } from "@std/assert";
import { connect, HmpClient, Session } from "../../mod.ts";
import { monitorSource } from "../../src/entries/extend.ts";
import {
  fakeMonitor,
  type FakeMonitorOptions,
  type QemuRelease,
  type SimulatedGuest,
  simulatedGuest,
} from "../../src/testing/mod.ts";
import { compareRegisters, compareWithBuilder, compareWithQemu } from "./_compare.ts";

const MODES = ["none", "32-bit", "pae", "4-level", "5-level"] as const;
const RELEASES: QemuRelease[] = ["5.2", "7.2", "10.0", "11.1"];

for (const mode of MODES) {
  Deno.test(`the simulated ${mode} guest over a socket agrees with its own info tlb`, async () => {
    // One release a mode keeps this short; every release has its turn below.
    const guest = simulatedGuest({ mode, schedule: [["target"], ["idle"]] });
    await using monitor = fakeMonitor(guest);
    await using session = await connect(monitor.endpoint, { physicalAddressBits: 40 });
    const vcpus = [["target", 0], ["idle", 1]] as const;
    await compareRegisters(
      session,
      vcpus.map(([name, cpu]) => ({
        tables: guest.process(name).tables,
        registers: guest.registers(cpu),
      })),
    );
    let rows = 0;
    for (const [name, cpu] of vcpus) {
      const { tables } = guest.process(name);
      rows += (await compareWithQemu(session, cpu, tables)).rows;
      if (tables) await compareWithBuilder(session, cpu, tables);
    }
    console.log(`  ${mode}: ${rows} rows compared`);
    assertEquals(guest.deviceReads, []);
  });
}

for (const qemu of RELEASES) {
  Deno.test(`the simulated guest in the words of QEMU ${qemu} gives the same walks`, async () => {
    const guest = simulatedGuest({ qemu, schedule: [["target"], ["other"]] });
    const { cleared, stillSet, parentCleared, corruptTable, protNone } = guest.addresses;
    for (const options of [{}, { telnet: true }, { chunkBytes: 7 }]) {
      await using session = await connectInProcess(guest, options);
      const verdicts = [];
      for (const address of [cleared, stillSet, parentCleared, corruptTable, protNone]) {
        const { verdict, walk } = await session.verify(address);
        verdicts.push(`${verdict} ${walk.outcome}`);
      }
      assertEquals(verdicts, [
        "pass mapped",
        "fail mapped",
        "fail mapped",
        "inconclusive unreadable",
        "inconclusive notPresent",
      ]);
      assertEquals((await session.registers(1)).cr3, guest.registers(1).cr3);
    }
  });
}

async function connectInProcess(
  guest: SimulatedGuest,
  options: FakeMonitorOptions,
): Promise<Session> {
  const monitor = await HmpClient.open(guest.transport(options));
  return new Session({ source: monitorSource(monitor) });
}
