/** Debian's Linux on a RISC-V machine, by its memory alone over plain HMP: it is what it says of itself. */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { connect, type GuestRegisters, type RiscvRegisters, type Session } from "../../mod.ts";
import type { LinuxGuest } from "../../src/entries/linux.ts";
import { whoMapsIt } from "../../src/cli/mod.ts";
import { explainOops } from "../../src/entries/linux.ts";
import { LabUnavailableError } from "../lab/mod.ts";
import type { LabFact } from "../lab/guest_lines.ts";
import {
  compareAreas,
  compareDetails,
  compareLog,
  compareProcesses,
  compareSymbols,
  type Comparison,
} from "../linux/_compare.ts";
import { attachInStorm } from "../linux/_fork_storm.ts";
import { buildRiscvLab } from "./lab/build.ts";
import { type LabMode, RiscvLabGuest } from "./lab/guest.ts";

const PAGE = 0x1000n;
const PRESENT = 1n << 63n;
const SWAPPED = 1n << 62n;
const FRAME = (1n << 55n) - 1n;

/** One mode is enough for every run; the matrix takes all: PAGEWALK_RISCV_MODES=Sv39,Sv48,Sv57. */
const MODES = (Deno.env.get("PAGEWALK_RISCV_MODES") ?? "Sv39").split(",") as LabMode[];

const missing = await buildRiscvLab().then(() => null, (error) => {
  if (error instanceof LabUnavailableError && Deno.env.get("CI") !== "true") return error.message;
  throw error;
});

for (const mode of MODES) {
  Deno.test({
    name: `Linux on riscv64 with ${mode}${missing === null ? "" : ` (skipped: ${missing})`}`,
    ignore: missing !== null,
    fn: (t) => run(t, mode),
  });
}

/** Passes a comparison on in which nothing differs. */
function none({ compared, differences }: Comparison): number {
  assertEquals(differences, []);
  return compared;
}

async function run(t: Deno.TestContext, mode: LabMode): Promise<void> {
  await using lab = await RiscvLabGuest.start(mode);
  await t.step("Linux is found in a storm of processes", () => attachInStorm(lab, lab.release));
  await using session = await connect(lab.monitorPort);
  const linux = await session.linux();
  assertEquals([linux.version, linux.context.mode], [lab.release, mode]);

  await t.step("each page of a process is where its pagemap says, with its rights", async () => {
    const [pid] = await lab.pids("facts");
    const { facts, pagemap } = await lab.facts();
    const entries = new Map(pagemap.map(({ address, raw }) => [address, raw]));
    const expected = mode === "Sv57" ? 12 : 11;
    assertEquals(facts.length, expected);
    let compared = 0;
    for (const fact of facts) compared += await compareFact(session, pid!, fact, entries);
    console.log(`${mode}: ${compared} facts of ${facts.length} kinds of memory: no difference`);
  });

  await t.step("each process's root is what a module in the guest says", async () => {
    const told = (await lab.shell("cat /proc/lab_roots")).split("\n")
      .map((line) => line.split(" "))
      .map(([pid, root]): [number, bigint] => [Number(pid), BigInt(`0x${root}`)]);
    const found = new Map((await linux.processes()).map(({ pid, root }) => [pid, root]));
    // The program that asked has ended.
    const lasting = told.filter(([pid]) => found.has(pid));
    assertGreater(lasting.length, 4);
    assertEquals(told.length - lasting.length, 1);
    for (const [pid, root] of lasting) assertEquals(found.get(pid), root, `pid ${pid}`);
    console.log(`${mode}: ${lasting.length} roots: no difference`);
  });

  await t.step("a process's root is what a hart has that runs it, and that is told", async () => {
    const pids = await lab.pids("spin");
    assertEquals(pids.length, 2);
    for (const pid of pids) {
      await lab.shell(`kill -CONT ${pid}`);
      assertEquals((await linux.process(pid)).root, await rootOfSpinning(session, pid));
      await untilTold(linux, pid);
      const away = await session.walk(0x123000n, { cpu: 0 });
      assertMatch(
        await whoMapsIt(session, away) ?? "",
        /^vCPU 0 runs pid \d+ .*; its tables belong to /,
      );
      await lab.shell(`kill -STOP ${pid}`);
    }
  });

  await t.step("processes, areas, symbols and the log", async () => {
    const compared = {
      processes: none(await compareProcesses(lab, linux)),
      details: none(await compareDetails(lab, linux)),
      areas: none(await compareAreas(lab, linux)),
      symbols: none(await compareSymbols(lab, linux)),
      "lines of the log": none(await compareLog(lab, linux)),
    };
    for (const [kind, count] of Object.entries(compared)) assertGreater(count, 30, kind);
    console.log(`${mode}: no difference in`, compared);
  });

  await t.step("the kernel's memory is read without walks", async () => {
    await compareDirectMap(linux, session);
  });

  await t.step("the kernel's reports of faults are explained", async () => {
    for (const fault of FAULTS) await explainFault(lab, linux, session, fault);
  });
}

/** What the module, or a program, does; what is said of it then, and what would come of it now. */
const FAULTS = [
  {
    command: "sh -c 'echo write ffffffff80002000 > /proc/lab_fault'",
    access: { write: true, fetch: false, user: false },
    reason: /entries were not printed|^W is clear in P[MT]/,
    now: /^W is clear/,
  },
  {
    command: "sh -c 'echo read 10 > /proc/lab_fault'",
    access: { write: false, fetch: false, user: false },
    reason: /while SUM is clear$/,
    now: /is not valid$/,
  },
  {
    command: "sh -c 'echo fetch ffffffff81a00000 > /proc/lab_fault'",
    access: { write: false, fetch: true, user: false },
    reason: /entries were not printed|^X is clear in P[MT]/,
    now: /^X is clear/,
  },
  {
    command: "facts crash now",
    access: { write: true, fetch: false, user: true },
    reason: /^no memory area is there$/,
    now: /is not valid$/,
  },
] as const;

async function explainFault(
  lab: RiscvLabGuest,
  linux: LinuxGuest,
  session: Session,
  { command, access, reason, now }: typeof FAULTS[number],
): Promise<void> {
  const before = (await linux.dmesg()).at(-1)!.sequence;
  await lab.shell(`${command} 2> /dev/null`);
  const records = (await linux.dmesg()).filter(({ sequence }) => sequence > before);
  const text = records.map((record) => record.text).join("\n");
  const found = await explainOops(session, text);
  const { write, fetch, user } = found.report.access ?? {};
  assertEquals({ write, fetch, user }, access, command);
  assertMatch(found.reason, reason, command);
  assert(found.now?.outcome === "pageFault", `${command}: ${found.now?.outcome}\n${text}`);
  assertMatch(found.now.reason, now, command);
}

/** What the kernel says that the hart runs changes: in the end it is the one that spins. */
async function untilTold(linux: LinuxGuest, pid: number): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const [task] = await linux.runningTasks(1);
    if (task?.pid === pid) return assertEquals([task.cpu, task.comm], [0, "facts"]);
    assert(task !== undefined && Date.now() < deadline, `no hart is said to run ${pid}`);
  }
}

/** Compares each page of a fact with the guest's word; answers how many pages that were. */
async function compareFact(
  session: Session,
  pid: number,
  fact: LabFact,
  entries: ReadonlyMap<bigint, bigint>,
): Promise<number> {
  const { address: first, lengthBytes, name, pageBytes, protection, state } = fact;
  const told = Array.from({ length: lengthBytes / 4096 }, (_, i) => first + PAGE * BigInt(i))
    .filter((address) => entries.has(address));
  assertGreater(told.length, 0, name);
  for (const address of told) {
    const raw = entries.get(address)!;
    const walk = await session.walk(address, { pid });
    if (state === "present") {
      assert(raw & PRESENT, `${name}: the guest has no page there`);
      assert(walk.outcome === "mapped", `${name}: ${walk.outcome}`);
      assertEquals([walk.physicalAddress, walk.pageSizeBytes], [(raw & FRAME) << 12n, pageBytes]);
      const { user, readable, writable, executable } = walk.effective;
      const rights = `${readable ? "r" : ""}${writable ? "w" : ""}${executable ? "x" : ""}`;
      assertEquals([user, rights], [true, protection], name);
      continue;
    }
    assert(walk.outcome === "notPresent", `${name}: ${walk.outcome}`);
    const content = walk.regime.rules.absentContent(walk.entry.raw, walk.level);
    if (state === "protnone") {
      assert(raw & PRESENT, name); // for Linux it is
      assertEquals(content, { kind: "protNone", frame: (raw & FRAME) << 12n });
    } else if (state === "swapped") {
      assert(raw & SWAPPED, name);
      assert(content.kind === "swap");
      const [type, offset] = [Number(raw & 0x1fn), (raw & FRAME) >> 5n];
      assertEquals([content.type, content.offset], [type, offset]);
      assertEquals(content.marks, ["exclusive"]);
    } else assertEquals([raw, content.kind], [0n, "empty"], name);
  }
  return told.length;
}

/** The root of a hart while it holds a pid in s11, which only that process's program puts there. */
async function rootOfSpinning(session: Session, pid: number): Promise<bigint> {
  const deadline = Date.now() + 120_000;
  const held = new RegExp(` x27/s11 +${pid.toString(16).padStart(16, "0")}\\b`);
  for (;;) {
    const text = await session.monitor!.command("info registers");
    if (held.test(text)) {
      const satp = BigInt(`0x${/^ satp +([0-9a-f]+)/m.exec(text)![1]}`);
      return (satp & (1n << 44n) - 1n) << 12n;
    }
    assert(Date.now() < deadline, `no hart runs ${pid}`);
  }
}

/** What is read linearly is what a walk of the kernel's tables reads. */
async function compareDirectMap(linux: LinuxGuest, session: Session): Promise<void> {
  const { task } = await linux.process(1);
  const walk = await session.walk(task, { root: linux.context.root });
  assert(walk.outcome === "mapped");
  assertEquals(await linux.read(task, 64), await session.memory.read(walk.physicalAddress, 64));
  const registers = await session.registers<GuestRegisters>(0) as RiscvRegisters;
  assertEquals(registers.architecture, "riscv");
}
