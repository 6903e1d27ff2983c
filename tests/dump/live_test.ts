import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  connect,
  DumpFormatError,
  MemoryReadError,
  NoMonitorError,
  parseRamLayout,
} from "../../mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { compareWithBuilder } from "../conformance/_compare.ts";
import { runExample } from "../examples/_run.ts";
import { liveTest } from "../live.ts";
import { compareConnectors, dumpGuest, inFolder, onDump, registersOf } from "./_same_walks.ts";

const MODES = ["none", "32-bit", "pae", "4-level", "5-level"] as const;
/** So that half of the RAM lies above 4 GiB. */
const HIGH = ["-machine", "max-ram-below-4g=32M"];

liveTest(
  "a dump of each mode gives the registers and walks of the live guest",
  () =>
    inFolder(async (folder) => {
      for (const mode of MODES) {
        for (const extraArgs of [[], HIGH]) {
          await using running = await startBareGuest(mode, { extraArgs });
          await using live = await connect(running.monitorPort);
          const path = `${folder}/core`;
          // A vCPU says that it is ready just before it halts: registers are compared while it is paused.
          const compared = await live.frozen(async () => {
            await dumpGuest(live, path);
            return await onDump(path, {}, async (dump) => {
              assertEquals(await registersOf(dump), await registersOf(live));
              assert(!dump.notice?.includes("-p"), `${dump.notice}`);
              for (const [cpu, { tables }] of running.guest.vcpus.entries()) {
                if (tables) await compareWithBuilder(dump, cpu, tables);
              }
              if (extraArgs === HIGH) {
                assertEquals(
                  await dump.memory.read(1n << 32n, 4096),
                  await live.memory.read(1n << 32n, 4096),
                );
              }
              await assertRejects(() => dump.memory.read(0xfee00000n, 4), MemoryReadError);
              assertThrows(() => dump.monitor, NoMonitorError);
              return await compareConnectors(live, dump);
            });
          });
          console.log(
            `  ${mode}${
              extraArgs === HIGH ? ", RAM above 4 GiB" : ""
            }: ${compared} walks, no difference`,
          );
          await Deno.remove(path);
        }
      }
    }),
);

liveTest(
  "a dump with -p holds what vCPUs map: walks are the same, or unreadable and never wrong",
  () =>
    inFolder(async (folder) => {
      for (const mode of ["32-bit", "pae", "4-level", "5-level"] as const) {
        await using running = await startBareGuest(mode);
        await using live = await connect(running.monitorPort);
        const path = `${folder}/core`;
        await dumpGuest(live, path, "-p ");
        await onDump(path, {}, async (dump) => {
          assert(dump.notice?.includes("-p"), `${dump.notice}`);
          const { sharedVa } = running.guest.pages;
          const page = await live.translate(sharedVa);
          assertEquals(await dump.memory.read(page!, 4096), await live.memory.read(page!, 4096));
          const outcomes = new Set<string>();
          for (const { va, pa } of running.guest.vcpus[0]!.tables!.leaves()) {
            const found = await dump.walk(va);
            outcomes.add(found.outcome);
            if (found.outcome === "mapped") assertEquals(found.physicalAddress, pa);
          }
          // Only the 32-bit guest maps its tables.
          assertEquals([...outcomes], [mode === "32-bit" ? "mapped" : "unreadable"]);
        });
        await Deno.remove(path);
      }
    }),
);

liveTest("raw memory with a named root and mode gives the same", () =>
  inFolder(async (folder) => {
    for (const mode of ["32-bit", "pae", "4-level", "5-level"] as const) {
      await using running = await startBareGuest(mode, { memoryFile: true, extraArgs: HIGH });
      await using live = await connect(running.monitorPort);
      const saved = `${folder}/ram`;
      await live.monitor.command(`pmemsave 0 0x4000000 "${saved}"`, { allowUnsafe: ["pmemsave"] });
      const layout = parseRamLayout("0x0-0x1ffffff@0x0,0x100000000-0x101ffffff@0x2000000");
      const { cr3 } = running.guest.vcpus[0]!.registers;
      const { cleared } = { cleared: running.guest.pages.sharedVa };
      for (const [path, options] of [[saved, {}], [running.memoryFile!, { layout }]] as const) {
        await onDump(path, { ...options, mode }, async (dump) => {
          const expected = await live.walk(cleared, { root: cr3 });
          const found = await dump.walk(cleared, { root: cr3 });
          assertEquals([found.outcome, found.steps], [expected.outcome, expected.steps]);
          await assertRejects(() => dump.walk(cleared), Error, "the page table (root)");
        });
      }
      await Deno.remove(saved);
    }
  }));

liveTest("a compressed dump is refused with what to do", () =>
  inFolder(async (folder) => {
    await using running = await startBareGuest("4-level");
    await using live = await connect(running.monitorPort);
    await dumpGuest(live, `${folder}/core`, "-z ");
    const error = await assertRejects(() => connect(`dump:${folder}/core`), DumpFormatError);
    assert(/kdump-compressed.*without -z, -l, -s/.test(error.message), error.message);
  }));

liveTest(
  "the scripts run on a dump, with the permission to read it and no other",
  () =>
    inFolder(async (folder) => {
      await using running = await startBareGuest("4-level");
      const path = `${folder}/core`;
      {
        await using live = await connect(running.monitorPort);
        await dumpGuest(live, path);
      }
      const address = `0x${running.guest.pages.sharedVa.toString(16)}`;
      const onLive = await runExample("qemu_verify_pte.ts", [`${running.monitorPort}`, address], {
        permissions: [`--allow-net=127.0.0.1:${running.monitorPort}`],
      });
      const permissions = [`--allow-read=${path}`];
      const found = await runExample("qemu_verify_pte.ts", [`dump:${path}`, address], {
        permissions,
      });
      assertEquals([found.code, found.stdout.split("\n").slice(1)], [
        onLive.code,
        onLive.stdout.split("\n").slice(1),
      ]);
      const range = await runExample("verify_range.ts", [`dump:${path}`, address, "4K", "--json"], {
        permissions,
      });
      assertEquals(range.code, onLive.code);
      const command = await runExample("monitor.ts", [`dump:${path}`, "info status"], {
        permissions,
      });
      assertEquals(command.code, 3);
      assert(command.stderr.includes("has no monitor"), command.stderr);
      const refused = await runExample("qemu_verify_pte.ts", [`dump:${path}`, address]);
      assert(refused.stderr.endsWith(`run deno with --allow-read=${path}\n`), refused.stderr);
    }),
);
