/** Whose tables are read is looked up once for each question, however many walks it takes. */
import { assertEquals } from "@std/assert";
import type { CpuSource } from "../../src/arch/cpu_source.ts";
import type { LinuxGuest } from "../../src/linux/linux_guest.ts";
import { connectedParts } from "../../src/session/connect_parts.ts";
import { explainOops } from "../../src/session/oops.ts";
import { Session } from "../../src/session/session.ts";

const PAGE = 0x7f1234567000n;
const SEGFAULT =
  "target[77]: segfault at 7f1234567000 ip 0000000000401000 sp 00007ffc00000000 error 5 in target[400000+1000]";

interface Lookups {
  processes: number;
  registers: number;
}

/** A session with the simulated guest that counts how often a process or a vCPU's registers are looked up. */
async function countingSession(): Promise<{ guest: Session; lookups: Lookups }> {
  const lookups = { processes: 0, registers: 0 };
  const parts = await connectedParts("sim:", {});
  const { cpus } = parts.source;
  const counted: CpuSource = {
    registers: (cpu) => (lookups.registers++, cpus.registers(cpu)),
    allRegisters: () => (lookups.registers++, cpus.allRegisters()),
  };
  /** Its vCPU's tables stand for a process's. */
  class WithProcess extends Session {
    override linux(): Promise<LinuxGuest> {
      const process = (pid: number) => {
        lookups.processes++;
        return Promise.resolve({ pid, comm: "target" });
      };
      return Promise.resolve({ process, contextOf: () => context } as unknown as LinuxGuest);
    }
  }
  const guest = new WithProcess({ ...parts, source: { ...parts.source, cpus: counted } });
  const { context } = await guest.pageTable();
  lookups.registers = 0;
  return { guest, lookups };
}

Deno.test("a question about a process looks it up once", async () => {
  const { guest, lookups } = await countingSession();
  await using _ = guest;
  const choice = { pid: 77 };
  const questions: Record<string, () => Promise<unknown>> = {
    walk: () => guest.walk(PAGE, choice),
    verify: () => guest.verify(PAGE, undefined, choice),
    verifyRange: () => guest.verifyRange(PAGE, 0x2000, undefined, choice),
    access: () => guest.access(PAGE, { cpl: 3 }, choice),
    mappings: () => Array.fromAsync(guest.mappings({ start: PAGE, lengthBytes: 4096 }, choice)),
    audit: () =>
      Array.fromAsync(guest.audit({ ...choice, range: { start: 0n, lengthBytes: 4096 } })),
    snapshot: () => guest.snapshot({ ...choice, range: { start: PAGE, lengthBytes: 4096 } }),
    explainOops: () => explainOops(guest, SEGFAULT),
    "explainOops, chosen": () => explainOops(guest, SEGFAULT, choice),
  };
  for (const [name, ask] of Object.entries(questions)) {
    lookups.processes = lookups.registers = 0;
    await ask();
    assertEquals([name, lookups], [name, { processes: 1, registers: 0 }]);
  }
});

Deno.test("a question about a vCPU reads its registers once", async () => {
  const { guest, lookups } = await countingSession();
  await using _ = guest;
  await explainOops(guest, SEGFAULT, { cpu: 0 });
  assertEquals(lookups, { processes: 0, registers: 1 });
});

Deno.test("tables that were found are taken as they are, by every call", async () => {
  const { guest, lookups } = await countingSession();
  await using _ = guest;
  const table = await guest.pageTable({ pid: 77 });
  lookups.processes = 0;
  assertEquals((await guest.walk(PAGE, { table })).source, table.source);
  assertEquals((await guest.verifyRange(PAGE, 0x1000, undefined, { table })).source, table.source);
  assertEquals(
    (await Array.fromAsync(guest.mappings({ start: PAGE, lengthBytes: 4096 }, { table }))).length,
    1,
  );
  assertEquals(lookups, { processes: 0, registers: 0 });
});
