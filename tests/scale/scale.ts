/**
 * `deno task test:scale`: guests as large as people have them. What is asserted are counts of monitor
 * commands, which do not depend on the machine; times are printed.
 */
import { assertEquals, assertLess } from "@std/assert";
import { connect } from "../../mod.ts";
import type { LinuxGuest, LinuxProcess } from "../../src/entries/linux.ts";
import { count, type Counted } from "../bench/_count.ts";
import { type LabGuest, labTest, startLab } from "../lab/mod.ts";

const PROCESSES = 5000;
const THREADS = 2000;
const FILES = 30_000;
const ANONYMOUS_AREAS = 30_000;
const FILE_AREAS = 4000;
const DMA_MAPPINGS = 10_000;

/** Starts a crowd in the guest, waits until it is complete, and answers its process. */
async function crowd(
  lab: LabGuest,
  linux: LinuxGuest,
  ...what: (string | number)[]
): Promise<LinuxProcess> {
  const name = what.join("-").replaceAll("/", "_");
  await lab.shell(`crowd ${what.join(" ")} > /tmp/${name} & echo $! > /tmp/${name}.pid`);
  for (;;) {
    const said = await lab.shell(`sleep 0.2; cat /tmp/${name}; cat /tmp/${name}.pid`);
    const [, pid] = said.match(/^ready\n(\d+)$/) ?? [];
    if (pid) return await linux.process(Number(pid));
  }
}

/** Runs something and answers what it took. */
async function counting<T>(
  counted: Counted,
  run: () => Promise<T>,
): Promise<{ value: T; commands: number; text: string }> {
  const before = { ...counted };
  const started = performance.now();
  const value = await run();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const commands = counted.commands - before.commands;
  const mebibytes = ((counted.replyBytes - before.replyBytes) / (1 << 20)).toFixed(1);
  return {
    value,
    commands,
    text: `${commands} commands, ${mebibytes} MiB of replies, ${seconds} s`,
  };
}

Deno.test(
  await labTest("thousands of everything take few commands each", "4-level", async (t) => {
    await using lab = await startLab("4-level");
    await using guest = await connect(lab.monitorPort);
    const counted = count(guest, true);
    const linux = await guest.linux();
    // What is learnt once of a kernel is learnt here.
    const target = await linux.process(lab.target.pid);
    await linux.processes();
    await linux.vmas(target);
    await linux.vfioMappings(target);

    await t.step(`${FILES} open files`, async () => {
      const owner = await crowd(lab, linux, "files", FILES);
      const { value, commands, text } = await counting(counted, () => linux.vfioMappings(owner));
      assertEquals(value, []);
      assertLess(commands, 0.2 * FILES);
      console.log(`${FILES} open files: ${text}`);
      await lab.shell(`kill -9 ${owner.pid}`);
    });

    await t.step(`${FILE_AREAS} areas of one file`, async () => {
      const owner = await crowd(lab, linux, "areas", FILE_AREAS, "/bin/busybox");
      const { value, commands, text } = await counting(counted, () => linux.vmas(owner));
      const ofFile = value.filter(({ name }) => name === "/bin/busybox");
      assertEquals(ofFile.length, FILE_AREAS);
      assertLess(commands, 2.5 * FILE_AREAS);
      console.log(`${FILE_AREAS} areas of one file: ${text}`);
      await lab.shell(`kill -9 ${owner.pid}`);
    });

    await t.step(`${ANONYMOUS_AREAS} areas`, async () => {
      const owner = await crowd(lab, linux, "areas", ANONYMOUS_AREAS);
      const { value, commands, text } = await counting(counted, () => linux.vmas(owner));
      const maps = await lab.shell(`wc -l < /proc/${owner.pid}/maps`);
      assertEquals(value.length, Number(maps));
      assertLess(commands, 2.5 * ANONYMOUS_AREAS);
      console.log(`${value.length} areas: ${text}`);
      await lab.shell(`kill -9 ${owner.pid}`);
    });

    await t.step(`${DMA_MAPPINGS} DMA mappings`, async () => {
      const zero = lab.fact("zero").address;
      await lab.request(`dma-many 0x${zero.toString(16)} 0x100000000 ${DMA_MAPPINGS}`);
      const { value, commands, text } = await counting(counted, () => linux.vfioMappings(target));
      assertEquals(value.length, DMA_MAPPINGS + 1);
      const expected = Array.from({ length: DMA_MAPPINGS }, (_, i) => 2n ** 32n + BigInt(i * 8192));
      assertEquals(value.slice(1).map(({ iova }) => iova), expected);
      assertLess(commands, 3 * DMA_MAPPINGS);
      console.log(`${value.length} DMA mappings: ${text}`);
    });

    await t.step(`${THREADS} threads that nobody asked for`, async () => {
      const few = await counting(counted, () => linux.processes());
      const owner = await crowd(lab, linux, "threads", THREADS);
      assertEquals(owner.threadCount, THREADS + 1);
      const { value, commands, text } = await counting(counted, () => linux.processes());
      // The process itself, its number of threads, and the kernel's own comings and goings.
      const more = value.length - few.value.length;
      assertLess(commands, few.commands + 4 + 6 * Math.max(1, more));
      console.log(`${value.length} processes, one with ${THREADS + 1} threads: ${text}`);
      assertEquals((await linux.threads(owner)).length, THREADS + 1);
      await lab.shell(`kill -9 ${owner.pid}`);
    });

    await t.step(`${PROCESSES} processes`, async () => {
      const first = await crowd(lab, linux, "processes", PROCESSES);
      const list = await counting(counted, () => linux.processes());
      const named = list.value.filter(({ comm }) => comm === "crowd");
      assertEquals(named.length, PROCESSES + 1);
      assertEquals(new Set(named.map(({ root }) => root)).size, PROCESSES + 1);
      assertLess(list.commands, 2.5 * list.value.length);
      console.log(`${list.value.length} processes: ${list.text}`);
      const { pid, root } = named.at(-1)!;
      const one = await counting(counted, () => linux.process(pid));
      assertEquals(one.value.root, root);
      assertLess(one.commands, 40);
      console.log(`one of them by its pid: ${one.text}`);
      await lab.shell(`kill -9 ${first.pid}`);
    });
  }),
);
