import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  AmbiguousProcessError,
  connect,
  InconsistentListError,
  InvalidArgumentError,
  nameAddressSpace,
  NoSuchProcessError,
  type Session,
  whoMapsIt,
} from "../../mod.ts";
import { addressRegions, kernelModules, type LinuxGuest } from "../../src/entries/linux.ts";
import { logText } from "../../src/report/mod.ts";
import { type LabGuest, type LabPresetName, labTest, startLab } from "../lab/mod.ts";
import {
  compareAreas,
  compareLog,
  compareProcesses,
  compareStates,
  compareSums,
  compareSymbols,
  type Comparison,
  kallsyms,
  withMemory,
  withoutTabs,
} from "./_compare.ts";
import { compareModules } from "./_compare_more.ts";
import { checkContainers } from "./_containers.ts";
import { aliasesInAll, auditsAll } from "./_all_processes.ts";
import { checkExamples } from "./_examples.ts";
import { attachInStorm } from "./_fork_storm.ts";
import { checkNumaHints, TWO_NODES } from "./_numa_hints.ts";
import { anew, nextKernel } from "./_next_kernel.ts";

/** How many times processes are listed while others come and go as fast as they can. */
const STORM_LISTINGS = Number(Deno.env.get("PAGEWALK_STORM_LISTINGS") ?? 8);

/** Passes a comparison on in which nothing differs. */
function none(comparison: Comparison): Comparison {
  assertEquals(comparison.differences, []);
  return comparison;
}

for (const preset of ["pti", "la57"] as const satisfies readonly LabPresetName[]) {
  Deno.test(
    await labTest(
      `Linux in the ${preset} lab guest is what it says of itself`,
      preset,
      async (t) => {
        // Else a reset would end QEMU.
        const qemuArguments = ["-action", "reboot=reset"];
        await using next = preset === "la57" ? await nextKernel() : null;
        await using lab = await startLab(preset, {
          qemuArguments: [
            ...qemuArguments,
            ...next === null ? [] : ["-initrd", next.initramfs, ...TWO_NODES],
          ],
        });
        // Before the test connects, since a monitor serves one client at a time.
        if (preset === "pti") await t.step("the scripts", () => checkExamples(lab));
        await t.step("Linux is found in a storm of processes", () => {
          return attachInStorm(lab, lab.build.release);
        });
        await using guest = await connect(lab.monitorPort);
        const linux = await guest.linux();
        assertEquals(linux.version, lab.build.release);

        await t.step("options that mean nothing are refused", async () => {
          // deno-lint-ignore no-explicit-any -- what a user writes who does not check types
          const bad = { quux: 1 } as any;
          const target = await linux.process(lab.target.pid);
          const calls: Record<string, () => Promise<unknown>> = {
            processes: () => linux.processes(bad),
            process: () => linux.process(1, bad),
            threads: () => linux.threads(target, bad),
            vmas: () => linux.vmas(target, bad),
            vfioMappings: () => linux.vfioMappings(target, bad),
            areaPages: () => Array.fromAsync(linux.areaPages(target, [], bad)),
            loggedPages: () => Array.fromAsync(linux.loggedPages([], bad)),
            dmesg: () => linux.dmesg(bad),
            followDmesg: () => linux.followDmesg(bad).next(),
          };
          for (const [name, call] of Object.entries(calls)) {
            await assertRejects(call, InvalidArgumentError, '"quux"', name);
          }
        });

        await t.step("processes and their roots", async () => {
          const { compared } = none(await compareProcesses(lab, linux));
          assertGreater(compared, 30);
          const listed = await linux.processes();
          const roots = new Map(withMemory(listed).map((process) => [process.pid, process]));
          const told = await lab.processes();
          assertGreater(told.length, 4);
          for (const { pid, root, userRoot } of told) {
            const process = roots.get(pid);
            if (!process) continue; // The shell that asked.
            assertEquals(process.root, root);
            assertEquals(process.userRoot, userRoot === root ? null : userRoot);
          }
          console.log(`${compared} processes and ${told.length} roots: no difference`);
        });

        await t.step("one process by pid and by name", async () => {
          const { pid, root } = lab.target;
          assertEquals((await linux.process(pid)).root, root);
          assertEquals((await linux.process("target")).pid, pid);
          const ticker = await assertRejects(() => linux.process("ticker"), AmbiguousProcessError);
          assertGreater(ticker.pids.length, 1);
          await assertRejects(() => linux.process(99999), NoSuchProcessError, `${pid} target`);
          await assertRejects(() => linux.process("nobody"), NoSuchProcessError);
          const kthreadd = await linux.process(2);
          assertEquals([kthreadd.comm, kthreadd.root], ["kthreadd", null]);
          await assertRejects(
            () => linux.vmas(kthreadd),
            NoSuchProcessError,
            "thread of the kernel",
          );
          await walksByProcess(guest, lab);
        });

        await t.step("arguments, cgroups, containers and open files", async () => {
          const { pid } = await linux.process({ cmdline: "huge=" });
          assertEquals(pid, lab.target.pid);
          await checkContainers(lab, linux);
        });

        await t.step("memory areas", async () => {
          const { compared } = none(await compareAreas(lab, linux));
          assertGreater(compared, 50);
          console.log(`${compared} memory areas: no difference`);
        });

        await t.step("the named parts of an address space", async () => {
          const target = await linux.process(lab.target.pid);
          const regions = await addressRegions(linux, target);
          const nameAt = (address: bigint) =>
            regions.find(({ start, end }) => address >= start && address < end)?.name;
          for (const { start, end, name } of await linux.vmas(target)) {
            const named = name === "" ? "anonymous" : name;
            assertEquals([nameAt(start), nameAt(end - 1n)], [named, named]);
          }
          for (const symbol of ["_stext", "init_task"]) {
            assertEquals(nameAt((await linux.symbol(symbol))!.address), "kernel image");
          }
          const line = await lab.shell("grep -m1 '\\[vfio\\]' /proc/kallsyms");
          assertEquals(nameAt(BigInt(`0x${line.split(" ")[0]}`)), "modules");
          const named = await nameAddressSpace(guest, linux.contextOf(target));
          assertEquals(named.facts, [`Linux ${linux.version}`, `pid ${target.pid} target`]);
          const { address } = lab.fact("dma");
          const dma = named.regions.find(({ start }) => start === address);
          assertEquals(dma?.name, "VFIO DMA (IOVA 0x0)");
        });

        await t.step("what areas come to, as smaps has it", async () => {
          const { compared } = none(await compareSums(lab, linux));
          assertGreater(compared, 50);
          console.log(`${compared} areas of smaps: no difference`);
        });

        await t.step("symbols", async () => {
          const { compared } = none(await compareSymbols(lab, linux, await kallsyms(lab)));
          assertGreater(compared, 40);
          assertEquals(await linux.symbol("no_such_symbol"), null);
          console.log(`${compared} symbols: no difference`);
        });

        await t.step("modules, their symbols and their types", async () => {
          const { compared } = none(await compareModules(lab, linux));
          assertGreater(compared, 300);
          const modules = kernelModules(linux);
          const dma = await modules.type("struct vfio_dma");
          assertEquals([dma?.module, dma?.members.map(({ name }) => name).includes("iova")], [
            "vfio_iommu_type1",
            true,
          ]);
          assertEquals(await modules.type("vfio:vfio_dma"), null);
          assertEquals((await modules.symbol("vfio:vfio_register_group_dev"))?.module, "vfio");
          assertEquals(await modules.symbol("vfio-pci:vfio_register_group_dev"), null);
          assertEquals(await modules.symbol("no_such_symbol"), null);
          assertEquals(await modules.symbolAt(linux.text), null);
        });

        await t.step("the log, also as it grows", async () => {
          const { compared } = none(await compareLog(lab, linux));
          assertGreater(compared, 50);
          console.log(`${compared} lines of the log: no difference`);
          const log = withoutTabs(await lab.dmesg());
          assertEquals(
            (await linux.dmesg({ last: 3 })).map(logText).join("\n"),
            log.split("\n").slice(-3).join("\n"),
          );
          const seen: string[] = [];
          await lab.shell("echo 'pagewalk: before' > /dev/kmsg");
          for await (const { text } of linux.followDmesg({ last: 1, intervalMs: 10 })) {
            seen.push(text);
            if (seen.length === 4) break;
            if (seen.length === 1) {
              await lab.shell('for n in 1 2 3; do echo "pagewalk: $n" > /dev/kmsg; done');
            }
          }
          assertEquals(seen, ["before", "1", "2", "3"].map((word) => `pagewalk: ${word}`));
        });

        await t.step("types", async () => {
          const layout = await linux.type("struct list_head");
          assertEquals(layout?.members.map(({ name, offset }) => [name, offset]), [
            ["next", 0],
            ["prev", 8],
          ]);
          assertEquals(await linux.type("no_such_struct"), null);
        });

        await t.step("what the page tables say about each area", async () => {
          const process = await linux.process("target");
          const areas = await linux.vmas(process);
          const pages = await Array.fromAsync(linux.areaPages(process, areas));
          const at = (name: string) => {
            const { address } = lab.fact(name);
            return pages[areas.findIndex(({ start, end }) => start <= address && address < end)]!;
          };
          assertEquals(at("none").protNoneBytes, lab.fact("none").lengthBytes);
          assertEquals(at("swapped").swappedBytes, lab.fact("swapped").lengthBytes);
          assertEquals(at("untouched").untouchedBytes, lab.fact("untouched").lengthBytes);
          assertGreater(at("huge").mappedBytes.get(2 << 20) ?? 0, 0);
          assertEquals(pages.filter(({ tooWritableBytes }) => tooWritableBytes > 0), []);
          const device = areas.find(({ kind }) => kind === "vfio");
          assertEquals(device?.name, "anon_inode:[vfio-device]");
        });

        await t.step("pages in states that only Linux has words for", async () => {
          const said = await lab.shell(
            "states > /tmp/states & until grep -q ready /tmp/states; do sleep 0.1; done; cat /tmp/states",
          );
          const { compared } = none(
            await compareStates(linux, said, await linux.process("states")),
          );
          // 6.1 without memory failure knows userfaultfd's marks, and no guards.
          assertGreater(compared, 1);
          console.log(`${compared} states of pages: no difference`);
          await lab.shell("kill -9 $(pidof states)");
        });

        if (preset === "la57") {
          await t.step("pages marked for NUMA balancing", () => checkNumaHints(guest, lab));
        }

        await t.step("whose tables a vCPU has, and who maps the address", () => whose(guest, lab));

        await t.step("all processes are audited at once", () => auditsAll(guest, lab, linux));
        await t.step("who maps a frame", () => aliasesInAll(guest, lab));

        if (preset === "pti") await t.step("a storm of processes", () => storm(lab, linux));
        else {await t.step("kexec and a reset: each kernel's log is its own", () =>
            anew(guest, lab));}
      },
    ),
  );
}

/** Walking by pid and by name reads the process's own tables, and says so. */
async function walksByProcess(guest: Session, lab: LabGuest): Promise<void> {
  const { address } = lab.fact("dma");
  const { pid, root } = lab.target;
  for (const choice of [{ pid }, { comm: "target" }]) {
    const found = await guest.walk(address, choice);
    assertEquals([found.outcome, found.root], ["mapped", root]);
    assertEquals(found.source, { kind: "process", pid, comm: "target" });
  }
  const executable = await guest.walk(lab.fact("executable").address, { pid });
  assert(executable.outcome === "mapped" && executable.effective.executable);
}

/** A page that a vCPU's tables lack is found in the process that has it. */
async function whose(guest: Session, lab: LabGuest): Promise<void> {
  const { address } = lab.fact("dma");
  const { pid } = lab.target;
  const tasks = await (await guest.linux()).runningTasks(1);
  assertEquals(tasks.map(({ cpu }) => cpu), [0]);
  for (;;) {
    const found = await guest.walk(address, { cpu: 0 });
    // The target was running.
    if (found.outcome !== "notPresent") continue;
    const text = await whoMapsIt(guest, found);
    assertStringIncludes(text!, `The address is mapped in pid ${pid} target: --pid ${pid}`);
    assertMatch(text!, /^vCPU 0 runs pid \d+ .*; its tables belong to /);
    break;
  }
  assertEquals(await whoMapsIt(guest, await guest.walk(address, { pid })), null);
}

/** While processes come and go, each list is right or refused: more are, the slower this machine is. */
async function storm(lab: LabGuest, linux: LinuxGuest): Promise<void> {
  const lasting = await linux.processes();
  const users = withMemory(lasting);
  await lab.shell(
    "touch /tmp/storm; for n in 1 2 3; do " +
      "(while [ -e /tmp/storm ]; do /bin/true | /bin/true; done) >/dev/null 2>&1 & done",
  );
  let refused = 0;
  let fresh = 0;
  for (let lists = 0; lists < STORM_LISTINGS && refused < 10 * STORM_LISTINGS;) {
    const listed = await linux.processes().catch((error) => {
      if (error instanceof InconsistentListError) return null;
      throw error;
    });
    if (listed === null) {
      refused++;
      continue;
    }
    lists++;
    const byPid = new Map(listed.map((process) => [process.pid, process]));
    assertEquals(byPid.size, listed.length, "a pid twice");
    for (const { pid, comm, root, userRoot } of users) {
      const again = byPid.get(pid);
      assertEquals([again?.comm, again?.root, again?.userRoot], [comm, root, userRoot]);
    }
    for (const process of listed) {
      if (lasting.some(({ pid }) => pid === process.pid)) continue;
      fresh++;
      assert(/^(sh|true|busybox|init|kworker\/.*)$/.test(process.comm), `odd name ${process.comm}`);
    }
  }
  await lab.shell("rm /tmp/storm");
  assertGreater(fresh, 0);
  console.log(`${STORM_LISTINGS} lists in a storm: ${refused} refused, none wrong`);
}
