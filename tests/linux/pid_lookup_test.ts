import { assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { isChange } from "../../src/linux/changed.ts";
import { findPid } from "../../src/linux/pid_lookup.ts";
import type { Reader } from "../../src/linux/reader.ts";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";
import { BASE } from "./_hostile.ts";

const OFFSETS = new Map(Object.entries({
  "task_struct.thread_pid": 8,
  "task_struct.pid_links": 16,
  "pid.tasks": 16,
  "pid.numbers": 96,
  "upid.nr": 0,
  "upid.ns": 8,
  "pid_namespace.idr": 0,
  "idr.idr_rt": 0,
  "xarray.xa_head": 8,
}));
const NODE_BYTES = 576;

/** The first pid namespace of a kernel: processes, and threads of others. */
class PidTree {
  readonly #bytes = new Uint8Array(1 << 20);
  readonly #view = new DataView(this.#bytes.buffer);
  #next = 64;
  readonly namespace: bigint = this.allocate(64);
  readonly initTask: bigint = this.allocate(128);
  reads = 0;

  constructor(pids: ReadonlyMap<number, "process" | "thread" | "group">) {
    const idle = this.#pid(0, 0n, 0n);
    this.word(this.initTask + 8n, idle);
    const entries = new Map(
      [...pids].map(([pid, kind]) => {
        const task = this.taskOf(pid);
        const process = kind === "process" ? task + 16n + 16n : 0n;
        return [pid, this.#pid(pid, kind === "group" ? 0n : task + 16n, process)];
      }),
    );
    let shift = 0;
    while (Math.max(0, ...pids.keys()) >> shift + 6 !== 0) shift += 6;
    this.word(
      this.namespace + 8n,
      entries.size === 0 ? 0n : this.#node(entries, shift, 0, 0n) + 2n,
    );
  }

  /** The task that has a pid. */
  taskOf(pid: number): bigint {
    return BASE + 0x1_0000_0000n + BigInt(pid) * 0x1000n;
  }

  readonly reader: Reader = {
    // deno-lint-ignore require-await -- errors are rejections
    read: async (address, lengthBytes) => {
      this.reads++;
      const start = Number(address - BASE);
      if (address < BASE || start + lengthBytes > this.#bytes.length) {
        throw new MemoryReadError("outsideRam", address, lengthBytes);
      }
      return this.#bytes.slice(start, start + lengthBytes);
    },
  };

  word(address: bigint, value: bigint): void {
    this.#view.setBigUint64(Number(address - BASE), value, true);
  }

  allocate(lengthBytes: number): bigint {
    const address = BASE + BigInt(this.#next);
    this.#next += lengthBytes;
    return address;
  }

  /** A `struct pid` with the heads of its lists of tasks and of processes. */
  #pid(number: number, task: bigint, process: bigint): bigint {
    const pid = this.allocate(128);
    this.word(pid + 16n, task);
    this.word(pid + 24n, process);
    this.word(pid + 96n, BigInt(number));
    this.word(pid + 104n, this.namespace);
    return pid;
  }

  #node(
    entries: ReadonlyMap<number, bigint>,
    shift: number,
    offset: number,
    parent: bigint,
  ): bigint {
    const node = this.allocate(NODE_BYTES);
    this.word(node, BigInt(shift | offset << 8));
    this.word(node + 8n, parent);
    this.word(node + 16n, this.namespace);
    for (let slot = 0; slot < 64; slot++) {
      const below = new Map([...entries].filter(([pid]) => (pid >> shift & 63) === slot));
      const [first] = below.values();
      if (first === undefined) continue;
      const value = shift === 0 ? first : this.#node(below, shift - 6, slot, node) + 2n;
      this.word(node + 40n + BigInt(slot * 8), value);
    }
    return node;
  }

  find(pid: number): ReturnType<typeof findPid> {
    return findPid({ reader: this.reader, offsets: OFFSETS, initTask: this.initTask }, pid);
  }
}

const KIND = fc.constantFrom("process" as const, "thread" as const, "group" as const);

Deno.test("a pid leads to its process or thread, by few reads, and one that nobody has to nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 4_194_303 }), KIND), {
        selector: ([pid]) => pid,
        maxLength: 40,
      }),
      fc.integer({ min: 1, max: 4_194_303 }),
      async (pids, other) => {
        const known = new Map(pids);
        const tree = new PidTree(known);
        for (const [pid, kind] of [...pids, [other, known.get(other) ?? "group"] as const]) {
          tree.reads = 0;
          const wanted = kind === "group" ? null : { kind, task: tree.taskOf(pid) };
          assertEquals(await tree.find(pid), wanted);
          assertLess(tree.reads, 10);
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a tree of pids that is changed meanwhile is told from one without the pid", async () => {
  const tree = new PidTree(new Map([[70, "process"], [5000, "process"]]));
  // A node that was freed, and is another tree's now.
  const { read } = tree.reader;
  let changes = 0;
  const broken: Reader = {
    async read(address, lengthBytes, options) {
      const bytes = (await read(address, lengthBytes, options)).slice();
      if (lengthBytes === 552 && ++changes > 1) bytes[16]! ^= 0xff;
      return bytes;
    },
  };
  const source = { reader: broken, offsets: OFFSETS, initTask: tree.initTask };
  const error = await assertRejects(() => findPid(source, 5000));
  assertEquals([isChange(error), changes], [true, 2]);
  // Such as another pid's, and a mark of the tree's own.
  for (const entry of [0x402n, tree.allocate(128)]) {
    const head = tree.namespace + 8n;
    tree.word(head, entry);
    assertEquals(await tree.find(70).catch(isChange), entry === 0x402n ? true : null);
  }
});
