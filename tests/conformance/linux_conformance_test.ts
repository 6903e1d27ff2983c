/** Every connector to one Linux guest: the same processes, areas, symbols and entries. */
import { assert, assertEquals } from "@std/assert";
import { connectHmp, readStatus, type Session } from "../../mod.ts";
import { labTest, startOpenLab } from "../lab/mod.ts";
import { type Answers, compareAnswers, registerAnswers, tableAnswers } from "./_answers.ts";
import { type Connector, CONNECTORS, type GuestEndpoints } from "./_connectors.ts";
import { linuxAnswers } from "./_linux_answers.ts";

Deno.test(
  await labTest("every connector to a Linux guest gives the same", "pti", async (t) => {
    await using open = await startOpenLab("pti");
    const { lab } = open;
    const connectors: GuestEndpoints = {
      ...open,
      hmpPort: lab.monitorPort,
      gdbPort: lab.gdbPort,
      folder: lab.folder,
      mode: "4-level",
      domain: () => Promise.reject(new Error("libvirt does not run this guest")),
    };
    const { address, lengthBytes } = lab.fact("dma");
    const pages = Array.from({ length: lengthBytes / 4096 }, (_, i) => address + BigInt(i * 4096));
    const { root } = lab.target;
    // Those that are there twice are not the shell that was asked, or what the boot has left.
    const told = [await lab.processes(), await lab.processes()].map((processes) =>
      new Set(processes.map(({ pid }) => pid))
    );
    const lasting = told[0]!.intersection(told[1]!);
    assert(lasting.size > 3);
    let reference: Answers | null = null;
    // libvirt has no way to a QEMU that it did not start; a bare guest of its own is among the others.
    for (const connector of CONNECTORS.filter(({ needs }) => needs === undefined)) {
      await t.step(connector.name, async () => {
        {
          const ask = (session: Session) => askAll(session, connector);
          await using session = await connector.open(connectors, {}, ask);
          const answers = await ask(session);
          reference ??= answers;
          const lines = compareAnswers(answers, reference);
          assert(lines >= pages.length);
          console.log(`Linux ${lab.build.release}, ${connector.name}: ${lines} answers`);
        }
        await using monitor = await connectHmp(`${lab.monitorPort}`);
        assertEquals((await readStatus(monitor)).running, true, "the guest was left paused");
      });
    }

    async function askAll(session: Session, connector: Connector): Promise<Answers> {
      const tables = await tableAnswers(session, { root }, pages);
      if (connector.holds === "memory") return { tables };
      // Which process a vCPU runs changes; how many there are does not.
      const vcpus = await registerAnswers(session);
      return {
        tables,
        vcpus: [`${vcpus.length}`],
        ...await linuxAnswers(session, "target", lasting),
      };
    }
  }),
);
