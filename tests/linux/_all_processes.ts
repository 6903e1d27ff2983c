import { assert, assertEquals, assertLess } from "@std/assert";
import type { Finding, ProcessName, Session } from "../../mod.ts";
import type { LinuxGuest } from "../../src/entries/linux.ts";
import { count } from "../bench/_count.ts";
import type { LabGuest } from "../lab/mod.ts";
import { withMemory } from "./_compare.ts";

/** How many commands something takes. */
async function commandsOf<T>(guest: Session, run: () => Promise<T>): Promise<[T, number]> {
  const counted = counters.get(guest) ?? count(guest, true);
  counters.set(guest, counted);
  const before = counted.commands;
  return [await run(), counted.commands - before];
}

const counters = new WeakMap<Session, ReturnType<typeof count>>();

function keyOf({ rule, address, lengthBytes }: Finding): string {
  return `${rule} ${address.toString(16)} ${lengthBytes}`;
}

/** One audit of all finds what one of each finds, and takes the kernel's half once. */
export async function auditsAll(guest: Session, lab: LabGuest, linux: LinuxGuest): Promise<void> {
  const own = (await linux.process(lab.target.pid)).pid;
  const findings: Finding[] = [];
  const done: ProcessName[] = [];
  const [, all] = await commandsOf(guest, async () => {
    for await (const record of guest.auditAll()) {
      if (record.kind === "finding") findings.push(record.finding);
      if (record.kind === "process") {
        assertEquals(record.outcome, "audited");
        done.push(record.process);
      }
    }
  });
  const processes = withMemory(await linux.processes());
  assertEquals(done.map(({ pid }) => pid), processes.map(({ pid }) => pid));
  const [one, single] = await commandsOf(
    guest,
    () => Array.fromAsync(guest.audit({ pid: own })),
  );
  const ofUser = (found: Finding) => found.address < 1n << 56n && !found.evidence.mappings;
  assertEquals(
    findings.filter((found) => found.process?.pid === own).map(keyOf).sort(),
    one.filter(ofUser).map(keyOf).sort(),
  );
  assert(one.some(({ rule }) => rule === "supervisor-leaf-in-user-range"));
  // The list of processes, the kernel's tables, and those of each process.
  assertLess(all, single + 100 + 40 * processes.length);
  console.log(`${processes.length} audits take ${all} commands, one ${single}`);
}

/** Which processes map a frame: the target, a child of its, and the kernel's map of all memory. */
export async function aliasesInAll(guest: Session, lab: LabGuest): Promise<void> {
  const { address } = lab.fact("dma");
  const { pid } = lab.target;
  const physical = await guest.translate(address, { pid });
  const found: string[] = [];
  let processes = 0;
  const [, commands] = await commandsOf(guest, async () => {
    for await (const record of guest.aliasesInAll(physical!)) {
      if (record.kind === "process") processes++;
      if (record.kind !== "alias") continue;
      const { alias, process } = record;
      assertEquals(alias.kind, "alias");
      found.push(process ? `${process.pid} ${alias.address === address}` : "the kernel");
    }
  });
  // The kernel has it in its map of all memory, and may have it elsewhere too.
  assertEquals([...new Set(found)], ["the kernel", `${pid} true`]);
  const [, single] = await commandsOf(
    guest,
    () => Array.fromAsync(guest.aliases(physical!, { pid })),
  );
  assertLess(commands, single + 100 + 40 * processes);
  console.log(`a search of ${processes} processes takes ${commands} commands, of one ${single}`);
}
