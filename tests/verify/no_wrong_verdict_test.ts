/**
 * No verdict is wrong, whatever state the machine is in: paging off, not started, in system-management
 * mode, in a nested guest; two address spaces with one address; damaged entries; NX off; MAXPHYADDR not
 * known; an entry that changes while it is read. The page-table builder says what is true.
 *
 * An entry changes once an answer here. How seldom a guest that flips entries to and fro gets a wrong
 * verdict is measured in flipping_test.ts: no number of readings makes that impossible.
 */
import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import type { PageTableBuilder } from "../../src/testing/page_table_builder.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { Session } from "../../src/session/session.ts";
import type { TableChoice } from "../../src/session/table_choice.ts";
import type { VerdictKind } from "../../src/verify/verdict.ts";
import { buildMachine, type Machine, machinePlan, type Question, question } from "./_machine.ts";
import { rangeVerdicts, truthOf } from "./_truth.ts";

/** Each machine is asked so many questions. */
const QUESTIONS = 100;
/** How many cases are tried: a million take half an hour. */
const CASES = Number(Deno.env.get("PAGEWALK_VERDICT_CASES") ?? 20_000);

type Answer = VerdictKind | "error";

const counts = { pass: 0, fail: 0, inconclusive: 0, error: 0, changing: 0, exact: 0 };

Deno.test(`${CASES} verdicts on machines in every state: none is wrong`, async () => {
  await fc.assert(
    fc.asyncProperty(
      machinePlan,
      fc.infiniteStream(question),
      async (plan, questions) => {
        const machine = buildMachine(plan);
        for (const asked of questions.take(QUESTIONS)) await ask(machine, asked);
      },
    ),
    { numRuns: CASES / QUESTIONS },
  );
  const { pass, fail, inconclusive, error, changing, exact } = counts;
  console.log(
    `${CASES} cases: ${pass} pass, ${fail} fail, ${inconclusive} inconclusive, ${error} refused; ` +
      `${exact} had one right answer, ${changing} were asked while an entry changed; ` +
      "0 wrong pass, 0 wrong fail",
  );
  assert(Math.min(pass, fail, inconclusive, error, changing) > CASES / 1000);
});

async function ask(machine: Machine, asked: Question): Promise<void> {
  const address = addressOf(machine, asked);
  const { choice, tables } = chosen(machine, asked);
  const pages = pagesOf(machine, address, asked.pages);
  const before = tables && pages.map((va) => truthOf(tables, va, asked.expectation));
  const guest = changingGuest(machine, tables, address, asked);
  const answer = await answerOf(machine, guest.memory, choice, {
    expectation: asked.expectation,
    address,
    pages: asked.pages === 0 ? 0 : pages.length,
  });
  const after = tables && pages.map((va) => truthOf(tables, va, asked.expectation));
  guest.restore();

  counts[answer]++;
  if (guest.changed()) counts.changing++;
  let allowed: Set<Answer>;
  if (before === null || after === null) {
    allowed = new Set(["inconclusive", "error"]);
  } else {
    const ofPages = before.map(({ verdict, high }, i) => {
      const possible = new Set<VerdictKind>([verdict, after[i]!.verdict]);
      const unsure = guest.changed() || (high || after[i]!.high) && !machine.plan.bitsKnown;
      if (unsure) possible.add("inconclusive");
      return possible;
    });
    allowed = new Set(asked.pages === 0 ? ofPages[0] : rangeVerdicts(ofPages));
    if (ofPages.every(({ size }) => size === 1)) counts.exact++;
    // The change may be on the way to a hypervisor's IDT: then its vCPU may seem to be in its guest.
    const hosts = machine.plan.vcpus.some(({ doing }) => doing === "hypervisor");
    if (guest.changed() && hosts) allowed.add("inconclusive").add("error");
  }
  if (!allowed.has(answer)) {
    const about = Deno.inspect({ address, asked, plan: machine.plan }, { depth: 6 });
    assertEquals(answer, [...allowed].join(" or "), about);
  }
}

function addressOf({ addresses, plan }: Machine, { near, page }: Question): bigint {
  const bits = { "32-bit": 32, "pae": 32, "4-level": 48, "5-level": 57 }[plan.mode];
  const address = addresses[near % addresses.length]! + BigInt(page) * 0x1000n;
  return bits === 32
    ? BigInt.asUintN(32, address)
    : BigInt.asUintN(64, BigInt.asIntN(bits, address));
}

/** The pages that a question is about. */
function pagesOf({ plan }: Machine, address: bigint, count: number): bigint[] {
  if (count === 0) return [address];
  const bits = plan.mode === "32-bit" || plan.mode === "pae" ? 32 : 64;
  return Array.from({ length: count }, (_, i) => address + BigInt(i) * 0x1000n)
    .filter((page) => page < 1n << BigInt(bits));
}

/** The choice of tables, and the tables that it means; null where it means none of the guest's. */
function chosen(
  { plan, vcpus, spaces }: Machine,
  { choice, which }: Question,
): { choice: TableChoice; tables: PageTableBuilder | null } {
  const cpu = which % vcpus.length;
  const running = vcpus.filter(({ tables }) => tables !== null);
  // The kind of a root's tables is waited for while every vCPU is in a nested guest: not 100,000 times.
  const waits = plan.vcpus.some(({ doing }) => doing.startsWith("nested")) &&
    plan.vcpus.every(({ doing }) => doing !== "running");
  switch (waits ? "current" : choice) {
    case "current":
      return { choice: {}, tables: vcpus[0]!.tables };
    case "cpu":
      return { choice: { cpu }, tables: vcpus[cpu]!.tables };
    case "root": {
      // The kind of the tables is that of another vCPU; where none runs, it is not known.
      const tables = spaces[which % 2]!;
      return { choice: { root: tables.root }, tables: running.length > 0 ? tables : null };
    }
    case "sample": {
      // A sample takes whichever vCPU's tables map the address: with one vCPU there is no choice.
      if (vcpus.length > 1) return { choice: { cpu }, tables: vcpus[cpu]!.tables };
      return { choice: { sampleMs: 1 }, tables: vcpus[0]!.tables };
    }
  }
}

/** Memory in which one entry on the way to the address changes before one of the reads. */
function changingGuest(
  { plan, spaces: [{ memory }] }: Machine,
  tables: PageTableBuilder | null,
  address: bigint,
  { change }: Question,
): { memory: PhysicalMemory; restore(): void; changed(): boolean } {
  const found = tables?.expect(address);
  const path = found && "path" in found
    ? found.path
    : found && "leaf" in found
    ? found.leaf.path
    : [];
  const entry = change && path.find(({ level }) => level === change.level);
  if (!change || !entry || !tables) return { memory, restore() {}, changed: () => false };
  const wide = plan.mode !== "32-bit";
  const write = (raw: bigint) =>
    wide
      ? memory.writeU64(entry.entryAddress, raw)
      : memory.writeU32(entry.entryAddress, BigInt.asUintN(32, raw));
  let reads = 0;
  let done = false;
  return {
    memory: {
      read(at, lengthBytes, options) {
        if (++reads === change.atRead) {
          write(entry.raw ^ change.bit);
          done = true;
        }
        return memory.read(at, lengthBytes, options);
      },
    },
    restore: () => write(entry.raw),
    changed: () => done,
  };
}

async function answerOf(
  { plan, vcpus }: Machine,
  memory: PhysicalMemory,
  choice: TableChoice,
  asked: Pick<Question, "expectation"> & { address: bigint; pages: number },
): Promise<Answer> {
  const { expectation, address, pages } = asked;
  const session = new Session({
    source: {
      endpoint: "test",
      qemuVersion: "7.2.22",
      memory,
      cpus: {
        registers: (cpu = 0) => Promise.resolve(vcpus[cpu]!.registers),
        allRegisters: () => Promise.resolve(vcpus.map(({ registers }) => registers)),
      },
      close: () => Promise.resolve(),
    },
    paging: plan.bitsKnown ? { physicalAddressBits: 40 } : {},
  });
  try {
    if (pages === 0) return (await session.verify(address, expectation, choice)).verdict;
    const length = pages * 4096;
    return (await session.verifyRange(address, length, expectation, choice)).verdict;
  } catch (error) {
    if (error instanceof Error && error.name === "NoTablesError") return "error";
    if (error instanceof Error && error.name === "InvalidArgumentError") return "error";
    throw error;
  }
}
