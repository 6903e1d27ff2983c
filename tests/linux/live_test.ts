import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import {
  AmbiguousProcessError,
  connect,
  InconsistentListError,
  type LinuxGuest,
  type LinuxProcess,
  logText,
  NoSuchProcessError,
  type Session,
} from "../../mod.ts";
import { type LabGuest, type LabPresetName, labTest, startLab } from "../lab/mod.ts";
import { checkExamples } from "./_examples.ts";

/** How many times processes are listed while others come and go as fast as they can. */
const STORM_LISTINGS = Number(Deno.env.get("PAGEWALK_STORM_LISTINGS") ?? 60);

/** A process as the guest's own /proc has it. */
interface ProcEntry {
  pid: number;
  comm: string;
}

/** What /proc lists: full names of the kernel's threads, with what its workers work for. */
async function procEntries(lab: LabGuest): Promise<Map<number, ProcEntry>> {
  const text = await lab.shell("cat /proc/[0-9]*/stat 2>/dev/null");
  const entries = [...text.matchAll(/^(\d+) \((.*)\) \S /gm)].map(([, pid, comm]) => ({
    pid: Number(pid),
    comm: comm!.startsWith("kworker/") ? comm!.split(/[-+]/)[0]! : comm!.slice(0, 15),
  }));
  return new Map(entries.map((entry) => [entry.pid, entry]));
}

function withMemory(processes: readonly LinuxProcess[]): LinuxProcess[] {
  return processes.filter(({ root }) => root !== null);
}

for (const preset of ["pti", "la57"] as const satisfies readonly LabPresetName[]) {
  Deno.test(
    await labTest(
      `Linux in the ${preset} lab guest is what it says of itself`,
      preset,
      async (t) => {
        await using lab = await startLab(preset);
        // Before the test connects, since a monitor serves one client at a time.
        if (preset === "pti") await t.step("the scripts", () => checkExamples(lab));
        await using guest = await connect(lab.monitorPort);
        const linux = await guest.linux();
        assertEquals(linux.version, lab.build.release);

        await t.step("processes and their roots", async () => {
          const before = await procEntries(lab);
          const listed = await linux.processes();
          const after = await procEntries(lab);
          const mine = new Map(listed.map(({ pid, comm }) => [pid, { pid, comm }]));
          assertEquals(mine.size, listed.length);
          const lasting = [...before.values()].filter(({ pid, comm }) =>
            after.get(pid)?.comm === comm
          );
          assertGreater(lasting.length, 30);
          assertEquals(lasting.filter(({ pid, comm }) => mine.get(pid)?.comm !== comm), []);
          assertEquals([...mine.keys()].filter((pid) => !before.has(pid) && !after.has(pid)), []);
          const roots = new Map(withMemory(listed).map((process) => [process.pid, process]));
          const told = await lab.processes();
          assertGreater(told.length, 4);
          for (const { pid, root, userRoot } of told) {
            const process = roots.get(pid);
            if (!process) continue; // The shell that asked.
            assertEquals(process.root, root);
            assertEquals(process.userRoot, userRoot === root ? null : userRoot);
          }
          console.log(`${lasting.length} processes and ${told.length} roots: no difference`);
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

        await t.step("memory areas", async () => {
          let areas = 0;
          for (const process of withMemory(await linux.processes())) {
            const maps = await lab.shell(`cat /proc/${process.pid}/maps`);
            if (!maps.includes("-")) continue; // It has exited.
            areas += await compareMaps(linux, process, maps);
          }
          assertGreater(areas, 50);
          console.log(`${areas} memory areas: no difference`);
        });

        await t.step("symbols", async () => {
          // Of every 1500th line: the number, the address, the type and the name.
          const text = await lab.shell(
            "awk 'NR % 1500 == 7 && !/\\[/ {print NR, $0}' /proc/kallsyms",
          );
          const all = await linux.symbols();
          const names = new Map<string, number>();
          for (const { name } of all) names.set(name, (names.get(name) ?? 0) + 1);
          const lines = text.split("\n");
          assertGreater(lines.length, 40);
          for (const line of lines) {
            const [number, address, type, name] = line.split(" ") as [
              string,
              string,
              string,
              string,
            ];
            const expected = { type, name, address: BigInt(`0x${address}`) };
            assertEquals(all[Number(number) - 1], expected);
            if (names.get(name) === 1) assertEquals(await linux.symbol(name), expected);
            if (expected.address >> 63n) {
              const at = await linux.symbolAt(expected.address + 1n);
              assert(at && at.address <= expected.address + 1n, `${name}: ${at?.name}`);
            }
          }
          assertEquals(await linux.symbol("no_such_symbol"), null);
          console.log(`${lines.length} of ${all.length} symbols: no difference`);
        });

        await t.step("the log, also as it grows", async () => {
          const mine = (await linux.dmesg()).map(logText).join("\n");
          const log = await lab.dmesg();
          assertEquals(mine.split("\n").length, log.split("\n").length);
          assertEquals(mine, log);
          console.log(`${log.split("\n").length} lines of the log: no difference`);
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

        if (preset === "pti") await t.step("a storm of processes", () => storm(lab, linux));
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

async function compareMaps(
  linux: LinuxGuest,
  process: LinuxProcess,
  maps: string,
): Promise<number> {
  const hex = (address: bigint) => address.toString(16).padStart(8, "0");
  const mine = (await linux.vmas(process)).map(({ start, end, permissions, offset, name }) =>
    `${hex(start)}-${hex(end)} ${permissions} ${hex(offset)} ${name}`
  );
  const theirs = maps.trim().split("\n").map((line) =>
    line.replace(/^(\S+ \S+ \S+) \S+ \S+\s*/, "$1 ")
  );
  assertEquals(mine, theirs);
  return theirs.length;
}

/** While processes come and go, each list is right or refused. */
async function storm(lab: LabGuest, linux: LinuxGuest): Promise<void> {
  const lasting = await linux.processes();
  const users = withMemory(lasting);
  await lab.shell(
    "touch /tmp/storm; for n in 1 2 3; do " +
      "(while [ -e /tmp/storm ]; do /bin/true | /bin/true; done) >/dev/null 2>&1 & done",
  );
  let refused = 0;
  let fresh = 0;
  for (let i = 0; i < STORM_LISTINGS; i++) {
    const listed = await linux.processes().catch((error) => {
      if (error instanceof InconsistentListError) return null;
      throw error;
    });
    if (listed === null) {
      refused++;
      continue;
    }
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
  assertGreater(fresh, STORM_LISTINGS / 2);
  assert(refused < STORM_LISTINGS / 10, `${refused} of ${STORM_LISTINGS} lists were refused`);
  console.log(`${STORM_LISTINGS} lists in a storm: ${refused} refused, none wrong`);
}
