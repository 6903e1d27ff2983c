/** What several address spaces have in common, and what each has besides. */
import { assertEquals } from "@std/assert";
import { type AuditedSpace, auditMany, type AuditManyOptions } from "../../src/audit/audit_many.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { ownKernelParts, userPart } from "../../src/translate/own_parts.ts";

const CODE = 0x40_0000n;
const DATA = 0x7f12_3456_7000n;
const DIRECT = 0xffff_8880_0000_0000n;
const OWN = 0xffff_ff00_0000_0000n;
const CODE_RIGHTS = { user: true, writable: false, noExecute: false };
const DATA_RIGHTS = { user: true, writable: true, noExecute: true };
const KERNEL_RIGHTS = { writable: true, noExecute: true };

/** A guest with a kernel and processes that have copies of its top table's upper half. */
class Machine {
  readonly memory = new SparseMemory({ ranges: [ramRange(0n, 0x800_0000n)] });
  #tablesAt = 0n;
  readonly kernel = this.#builder();
  readonly processes: { pid: number; builder: PageTableBuilder; runs: boolean }[] = [];

  #builder(): PageTableBuilder {
    this.#tablesAt += 0x10_0000n;
    return new PageTableBuilder("4-level", this.memory, { tablesAt: this.#tablesAt });
  }

  /** A process; the kernel's tables are complete by now. */
  process(pid: number, { runs = true } = {}): PageTableBuilder {
    const builder = this.#builder();
    const upper = this.memory.readBytes(this.kernel.root + 2048n, 2048);
    this.memory.writeBytes(builder.root + 2048n, upper);
    this.processes.push({ pid, builder, runs });
    return builder;
  }

  async audit(options: AuditManyOptions = {}): Promise<{ lines: string[]; reads: Set<string> }> {
    const reads = new Set<string>();
    const counting: PhysicalMemory = {
      read: (address, lengthBytes, how) => {
        const key = `${address}`;
        if (reads.has(key)) reads.add(`again ${key}`);
        reads.add(key);
        return this.memory.read(address, lengthBytes, how);
      },
    };
    const context = pagingContext(registersFor(this.kernel), { physicalAddressBits: 40 });
    const { memory, processes } = this;
    async function* spaces(): AsyncGenerator<AuditedSpace> {
      for (const { pid, builder, runs } of processes) {
        const regime = { ...context, root: builder.root };
        yield {
          process: { pid, comm: `p${pid}` },
          regime,
          parts: [userPart(regime), ...await ownKernelParts(memory, regime, context.root)],
          userViewParts: [],
          stillRuns: () => Promise.resolve(runs),
        };
      }
    }
    const lines: string[] = [];
    for await (const record of auditMany(counting, context, spaces(), options)) {
      if (record.kind === "process") lines.push(`${record.process.pid} ${record.outcome}`);
      else {
        const { rule, process, evidence } = record.finding;
        const whose = (evidence.mappings ?? []).map((way) => way.process?.pid ?? "kernel");
        lines.push([rule, process?.pid ?? "kernel", ...whose].join(" "));
      }
    }
    return { lines, reads };
  }
}

function machine(): Machine {
  const made = new Machine();
  made.kernel.map(DIRECT, 0x20_0000n, "2M", KERNEL_RIGHTS);
  for (const pid of [1, 2]) {
    const tables = made.process(pid);
    tables.map(CODE, 0x40_0000n, "4K", CODE_RIGHTS);
    tables.map(DATA, 0x40_1000n + BigInt(pid) * 0x1000n, "4K", DATA_RIGHTS);
  }
  return made;
}

Deno.test("auditMany() reads the kernel's tables once, and finds nothing in processes that share code", async () => {
  const made = machine();
  const { lines, reads } = await made.audit();
  assertEquals(lines, ["1 audited", "2 audited"]);
  assertEquals([...reads].filter((key) => key.startsWith("again")), []);
});

Deno.test("auditMany() tells what one process may write and another runs, and whose it is", async () => {
  const made = machine();
  made.processes[1]!.builder.map(0x50_0000n, 0x40_0000n, "4K", DATA_RIGHTS);
  const { lines } = await made.audit();
  assertEquals(lines, ["1 audited", "2 audited", "frame-writable-and-executable kernel 1 2"]);
});

Deno.test("auditMany(): that one process reads what another writes is no finding, two ways of one are", async () => {
  const made = machine();
  const read = { user: true, writable: false, noExecute: true };
  for (const { builder } of made.processes) builder.map(0x50_0000n, 0x60_0000n, "4K", read);
  made.processes[0]!.builder.map(0x51_0000n, 0x61_0000n, "4K", DATA_RIGHTS);
  made.processes[1]!.builder.map(0x51_0000n, 0x61_0000n, "4K", read);
  assertEquals((await made.audit()).lines, ["1 audited", "2 audited"]);
  made.processes[1]!.builder.map(0x52_0000n, 0x60_0000n, "4K", DATA_RIGHTS);
  assertEquals((await made.audit()).lines.slice(2), ["frame-rights-differ kernel 2 2"]);
});

Deno.test("auditMany() finds who may write another process's page table", async () => {
  const made = machine();
  const [first, second] = made.processes;
  second!.builder.map(0x50_0000n, first!.builder.root, "4K", DATA_RIGHTS);
  assertEquals((await made.audit()).lines.slice(2), ["user-writable-table 2"]);
});

Deno.test("auditMany() looks at what a process has in the kernel's range for itself", async () => {
  const made = machine();
  made.processes[0]!.builder.map(OWN, 0x70_0000n, "4K", { writable: true, noExecute: false });
  assertEquals((await made.audit()).lines, ["writable-executable 1", "1 audited", "2 audited"]);
});

Deno.test("auditMany() says nothing of a process that has ended, and counts it", async () => {
  const made = machine();
  const gone = made.process(3, { runs: false });
  gone.map(CODE, 0x40_0000n, "4K", { user: true, writable: true, noExecute: false });
  assertEquals((await made.audit()).lines, ["1 audited", "2 audited", "3 ended"]);
});

Deno.test("auditMany() says which processes it came to no more, and which were cut short", async () => {
  const made = machine();
  const { lines } = await made.audit({ maxAllTables: 5 });
  assertEquals(lines, ["1 audited", "2 left out"]);
  const short = await made.audit({ maxTables: 4 });
  assertEquals(short.lines.filter((line) => /^\d/.test(line)), ["1 partial", "2 partial"]);
});
