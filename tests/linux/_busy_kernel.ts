import type { Reader } from "../../src/linux/reader.ts";
import type { TaskListSource } from "../../src/linux/task_list.ts";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";
import { BASE } from "./_hostile.ts";

const TASK_BYTES = 4096n;
const MM_BYTES = 64n;
const FIRST_MM = BASE + 0x80_0000n;
/** LIST_POISON2 of include/linux/poison.h: what a task's back pointer holds when it is off the list. */
const POISON = 0xdead_0000_0000_0122n;
const ZOMBIE = 32;
/** POISON_FREE of include/linux/poison.h, all over memory that was freed. */
const POISON_FREE = 0x6b6b_6b6b_6b6b_6b6bn;

/** Where the members lie: some of a task are far from the others, so that it takes two reads. */
const OFFSETS = {
  "task_struct.state": 8,
  "task_struct.flags": 16,
  "task_struct.tasks": 2048,
  "task_struct.mm": 2064,
  "task_struct.exit_state": 2080,
  "task_struct.pid": 2084,
  "task_struct.tgid": 2088,
  "task_struct.thread_node": 2096,
  "task_struct.comm": 2112,
  "task_struct.signal": 2128,
  "task_struct.self_exec_id": 2400,
  "signal_struct.thread_head": 3072,
  "mm_struct.pgd": 24,
} as const;
const at = (member: keyof typeof OFFSETS) => BigInt(OFFSETS[member]);

/** A process that lives, as the kernel would have it. */
interface Living {
  readonly pid: number;
  readonly task: bigint;
  mm: bigint;
  pgd: bigint;
  isZombie: boolean;
}

/** What is known of a kernel, and what it leaves in memory. */
export interface BusyKernelOptions {
  /** Is it known where a task counts the programs that it runs? If so, page tables are used anew, too. */
  readonly hasExecIds: boolean;
  /** Is memory that is freed overwritten? */
  readonly poisons: boolean;
}

/** A kernel's task list that goes on changing as the kernel changes it, between any two reads. */
export class BusyKernel {
  readonly #bytes = new Uint8Array(0x100_0000);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #freeTasks: bigint[] = [];
  readonly #freeMms: bigint[] = [];
  readonly #freePgds: bigint[] = [];
  readonly #options: BusyKernelOptions;
  #nextTask = BASE;
  #nextMm = FIRST_MM;
  #nextPid = 1;
  #nextPgd = BASE + 0x1_0000_0000n;
  readonly #init: bigint;
  /** Those on the list, the oldest first. */
  readonly living: Living[] = [];
  /** Every pair of memory and page table that a process has had, `none` once it has ended. */
  readonly history = new Map<number, Set<string>>();
  /** How often memory was read. */
  reads = 0;
  /** Called before each read. */
  beforeRead: () => void = () => {};

  constructor(
    processes: number,
    options: BusyKernelOptions = { hasExecIds: true, poisons: false },
  ) {
    this.#options = options;
    this.#init = this.#newTask(0, "swapper/0");
    this.#link(this.#init, this.#init, this.#init);
    for (let i = 0; i < processes; i++) this.fork();
  }

  /** What the reader is given. */
  get source(): TaskListSource {
    const reader: Reader = {
      // deno-lint-ignore require-await -- errors are rejections
      read: async (address, lengthBytes) => {
        this.reads++;
        this.beforeRead();
        const start = Number(address - BASE);
        if (address < BASE || start + lengthBytes > this.#bytes.length) {
          throw new MemoryReadError("outsideRam", address, lengthBytes);
        }
        return this.#bytes.slice(start, start + lengthBytes);
      },
    };
    const known = Object.entries(OFFSETS)
      .filter(([member]) => this.#options.hasExecIds || member !== "task_struct.self_exec_id");
    return { reader, offsets: new Map(known), initTask: this.#init };
  }

  /** A new process, at the end of the list. */
  fork(): void {
    const pid = this.#nextPid++;
    const task = this.#newTask(pid, `process-${pid}`);
    const process: Living = { pid, task, mm: 0n, pgd: 0n, isZombie: false };
    this.#giveMemory(process);
    const last = this.living.at(-1)?.task ?? this.#init;
    this.#link(last, task, this.#init);
    this.living.push(process);
  }

  /** Another program in a process: it has new memory, and the old one is free for others. */
  exec(process: Living): void {
    if (process.isZombie) return;
    const { mm, pgd } = process;
    this.#giveMemory(process);
    const count = Number(process.task + at("task_struct.self_exec_id") - BASE);
    this.#view.setBigUint64(count, this.#view.getBigUint64(count, true) + 1n, true);
    this.#free(mm, pgd);
  }

  /** A process gives its memory back, and stays until it is reaped. */
  exit(process: Living): void {
    if (process.isZombie) return;
    process.isZombie = true;
    this.#set(process.task, "task_struct.mm", 0n);
    this.#free(process.mm, process.pgd);
    this.#set32(process.task, "task_struct.exit_state", ZOMBIE);
    this.#remember(process, "none");
  }

  /** A process that has ended leaves the list; its task may be used anew. */
  reap(process: Living): void {
    if (!process.isZombie) return;
    const i = this.living.indexOf(process);
    const before = this.living[i - 1]?.task ?? this.#init;
    const after = this.living[i + 1]?.task ?? this.#init;
    this.#set(before, "task_struct.tasks", after + at("task_struct.tasks"));
    this.#set(after, "task_struct.tasks", before + at("task_struct.tasks"), 8n);
    this.#set(process.task, "task_struct.tasks", POISON, 8n);
    this.living.splice(i, 1);
    this.#freeTasks.push(process.task);
  }

  #newTask(pid: number, comm: string): bigint {
    let task = this.#freeTasks.shift();
    if (task === undefined) {
      task = this.#nextTask;
      this.#nextTask += TASK_BYTES;
    }
    const start = Number(task - BASE);
    this.#bytes.fill(0, start, start + Number(TASK_BYTES));
    this.#set32(task, "task_struct.pid", pid);
    this.#set32(task, "task_struct.tgid", pid);
    new TextEncoder().encodeInto(comm, this.#bytes.subarray(start + OFFSETS["task_struct.comm"]));
    // The one thread's node is on a list with nothing but the head, which lies in the same piece.
    const head = task + at("signal_struct.thread_head");
    this.#set(task, "task_struct.signal", task);
    for (const end of [0n, 8n]) this.#set(task, "task_struct.thread_node", head, end);
    return task;
  }

  #giveMemory(process: Living): void {
    let mm = this.#freeMms.shift();
    if (mm === undefined) {
      mm = this.#nextMm;
      this.#nextMm += MM_BYTES;
    }
    process.mm = mm;
    process.pgd = this.#freePgds.pop() ?? (this.#nextPgd += 4096n);
    this.#set(mm, "mm_struct.pgd", process.pgd);
    this.#set(process.task, "task_struct.mm", mm);
    this.#remember(process, `${mm} ${process.pgd}`);
  }

  #free(mm: bigint, pgd: bigint): void {
    if (this.#options.poisons) this.#set(mm, "mm_struct.pgd", POISON_FREE);
    this.#freeMms.push(mm);
    if (this.#options.hasExecIds) this.#freePgds.push(pgd);
  }

  #remember({ pid }: Living, memory: string): void {
    const known = this.history.get(pid);
    if (known) known.add(memory);
    else this.history.set(pid, new Set([memory]));
  }

  #link(before: bigint, task: bigint, after: bigint): void {
    const tasks = at("task_struct.tasks");
    this.#set(task, "task_struct.tasks", after + tasks);
    this.#set(task, "task_struct.tasks", before + tasks, 8n);
    this.#set(before, "task_struct.tasks", task + tasks);
    this.#set(after, "task_struct.tasks", task + tasks, 8n);
  }

  #set(base: bigint, member: keyof typeof OFFSETS, value: bigint, further = 0n): void {
    this.#view.setBigUint64(Number(base + at(member) + further - BASE), value, true);
  }

  #set32(base: bigint, member: keyof typeof OFFSETS, value: number): void {
    this.#view.setUint32(Number(base + at(member) - BASE), value, true);
  }
}
