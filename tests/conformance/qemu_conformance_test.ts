import { assert, assertEquals } from "@std/assert";
import { connect, connectHmp, readStatus } from "../../mod.ts";
import type { BareGuestMode, BareGuestOptions } from "../../src/testing/mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { liveTest, QEMU } from "../live.ts";
import { compareRegisters, compareWithBuilder, compareWithQemu } from "./_compare.ts";
import { ALL_DOORS, doorsTo } from "./_doors.ts";

const GUESTS: [name: string, mode: BareGuestMode, options?: BareGuestOptions][] = [
  ["none", "none"],
  ["32-bit", "32-bit"],
  ["PAE", "pae"],
  ["4-level", "4-level"],
  ["5-level", "5-level"],
  ["4-level with PCID", "4-level", { pcid: true }],
];

for (const [name, mode, options] of GUESTS) {
  liveTest(
    `on a real QEMU, every door to the bare ${name} guest gives what QEMU says`,
    async () => {
      await using running = await startBareGuest(mode, { ...options, ...ALL_DOORS });
      const answers: string[] = [];
      for (const [door, open] of doorsTo(running)) {
        {
          await using session = await open({ physicalAddressBits: 40 }); // TCG's default
          await compareRegisters(session, running.guest.vcpus);
          const total = { rows: 0, between: 0, translations: 0 };
          for (const [cpu, { tables }] of running.guest.vcpus.entries()) {
            const compared = await compareWithQemu(session, cpu, tables);
            for (const key of ["rows", "between", "translations"] as const) {
              total[key] += compared[key];
            }
            if (tables) assert(await compareWithBuilder(session, cpu, tables) === compared.rows);
          }
          answers.push(JSON.stringify(total));
          console.log(
            `  ${name}, QEMU ${QEMU?.version}, ${door}: ${total.rows} rows of info tlb, ` +
              `${total.between} addresses between, ${total.translations} by gva2gpa: no difference`,
          );
        }
        await using monitor = await connectHmp(`${running.monitorPort}`);
        assertEquals((await readStatus(monitor)).running, true, `${door} left the guest paused`);
      }
      assertEquals(new Set(answers).size, 1);
    },
  );
}

liveTest("on a real QEMU, broken tables are reported and never followed out of RAM", async () => {
  for (const mode of ["32-bit", "pae", "4-level", "5-level"] as const) {
    await using running = await startBareGuest(mode, { broken: true });
    await using session = await connect(running.monitorPort, { physicalAddressBits: 40 });
    const { tables } = running.guest.vcpus[0]!;
    for (const address of running.guest.broken) {
      const found = await session.walk(address, { cpu: 0 });
      const expected = tables!.expect(address).outcome;
      assert(found.outcome === expected, `${mode} 0x${address.toString(16)}: ${found.outcome}`);
    }
  }
});
