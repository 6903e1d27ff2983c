import { assert, assertEquals } from "@std/assert";
import { connect, connectHmp, readStatus, type Session } from "../../mod.ts";
import {
  type BareGuest,
  type BareGuestMode,
  type BareGuestOptions,
  type BareGuestVcpu,
  qemuPath,
  startBareGuest,
} from "../../src/testing/mod.ts";
import { LIBVIRT, startLibvirt } from "../libvirt/_daemon.ts";
import { libvirtKnows } from "../libvirt/_domain.ts";
import { liveTest, QEMU } from "../live.ts";
import {
  type Answers,
  compareAnswers,
  mappingAnswers,
  registerAnswers,
  rightsAnswers,
  tableAnswers,
} from "./_answers.ts";
import { connectorsOfBareGuest, OPEN_CONNECTORS } from "./_bare_connectors.ts";
import { compareRegisters, compareWithBuilder, compareWithQemu } from "./_compare.ts";
import { type Connector, CONNECTORS } from "./_connectors.ts";

const GUESTS: [name: string, mode: BareGuestMode, options?: BareGuestOptions][] = [
  ["none", "none"],
  ["32-bit", "32-bit"],
  ["PAE", "pae"],
  ["4-level", "4-level"],
  ["5-level", "5-level"],
  ["4-level with PCID", "4-level", { pcid: true }],
];

// One for all guests: it starts longer than they do.
let libvirt: AsyncDisposable | null = null;
Deno.test.beforeAll(async () => {
  if (LIBVIRT && QEMU) libvirt = await startLibvirt();
});
Deno.test.afterAll(async () => await libvirt?.[Symbol.asyncDispose]());

for (const [name, mode, options] of GUESTS) {
  liveTest(
    `every connector to the bare ${name} guest gives the same, and what QEMU says`,
    async (t) => {
      await using running = await startBareGuest(mode, { ...options, ...OPEN_CONNECTORS });
      const { guest } = running;
      await using cleanup = new AsyncDisposableStack();
      const folder = await Deno.makeTempDir({ prefix: "pagewalk-conformance-" });
      cleanup.defer(() => Deno.remove(folder, { recursive: true }));
      const connectors = connectorsOfBareGuest(running, folder, cleanup);
      // The QEMU that is installed goes with the libvirt that is installed; another release may not.
      const hasDomains = libvirt !== null && (!qemuPath().includes("/") ||
        await libvirtKnows(qemuPath()));
      let reference: Answers | null = null;
      for (const connector of CONNECTORS) {
        // Without paging there are no tables in memory alone.
        if (mode === "none" && connector.holds === "memory") continue;
        await t.step({
          name: connector.name,
          ignore: connector.needs === "libvirt" && !hasDomains,
          async fn() {
            {
              const every = reference === null ? 1 : 16;
              const ask = (session: Session) => askAll(session, connector, guest, every);
              await using session = await connector.open(
                connectors,
                { physicalAddressBits: 40 },
                ask,
              );
              const { answers, rows } = await ask(session);
              reference ??= answers;
              const lines = compareAnswers(answers, reference);
              const qemu = `QEMU ${QEMU?.version}`;
              console.log(
                `${name}, ${qemu}, ${connector.name}: ${lines} answers, ${rows} rows of info tlb`,
              );
            }
            await using monitor = await connectHmp(`${running.monitorPort}`);
            assertEquals((await readStatus(monitor)).running, true, "the guest was left paused");
          },
        });
      }
    },
  );
}

/** Asks a session for everything; what has a monitor or registers is held against the guest's making. */
async function askAll(
  session: Session,
  connector: Connector,
  guest: BareGuest,
  every: number,
): Promise<{ answers: Answers; rows: number }> {
  const answers: Record<string, string[]> = {};
  let rows = 0;
  if (connector.holds !== "memory") answers.registers = await registerAnswers(session);
  for (const [cpu, vcpu] of guest.vcpus.entries()) {
    const addresses = addressesOf(vcpu);
    const { tables } = vcpu;
    const byRoot = tables === null ? { cpu } : { root: tables.root };
    answers[`tables of vCPU ${cpu}`] = await tableAnswers(session, byRoot, addresses);
    if (connector.holds === "memory") continue;
    answers[`rights of vCPU ${cpu}`] = await rightsAnswers(session, { cpu }, addresses);
    answers[`mappings of vCPU ${cpu}`] = await mappingAnswers(session, { cpu });
    if (tables) await compareWithBuilder(session, cpu, tables);
    if (connector.holds !== "monitor") continue;
    const compared = await compareWithQemu(session, cpu, tables, every);
    if (tables) assertEquals(compared.rows, tables.leaves().length);
    rows += compared.rows;
  }
  if (connector.holds === "monitor") await compareRegisters(session, guest.vcpus);
  return { answers, rows };
}

/** The pages that the guest was made to have, and the address behind each. */
function addressesOf({ tables }: BareGuestVcpu): bigint[] {
  if (tables === null) return [0n, 0x1234n, 0xffff_fff0n];
  const starts = tables.leaves().map(({ va }) => va);
  const behind = tables.leaves().map(({ va, sizeBytes }) => va + BigInt(sizeBytes));
  const bits = tables.mode === "32-bit" || tables.mode === "pae" ? 32 : 64;
  return [...starts, ...behind].map((address) => BigInt.asUintN(bits, address));
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
