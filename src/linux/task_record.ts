import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed, isChange } from "./changed.ts";
import { type Reader, viewOf } from "./reader.ts";
import { type StructOffsets, StructReader, type StructView } from "./struct_reader.ts";
import { type TaskState, taskState } from "./task_state.ts";

/** A thread of a process. */
export interface LinuxThread {
  /** Its thread id; the first thread's is the process id. */
  readonly tid: number;
  /** Its name: at most 15 bytes. */
  readonly comm: string;
  /** What it does. */
  readonly state: TaskState;
  /** The virtual address of its `task_struct`. */
  readonly task: bigint;
}

/** A process as the task list has it. */
export interface TaskRecord {
  /** The process id, in the first pid namespace. */
  readonly pid: number;
  /** The name of its first thread: at most 15 bytes. */
  readonly comm: string;
  /** What its first thread does. */
  readonly state: TaskState;
  /** Is it a thread of the kernel, without memory of its own? */
  readonly isKernelThread: boolean;
  /** How many threads it has, the first one included. */
  readonly threadCount: number;
  /** The virtual address of the first thread's `task_struct`. */
  readonly task: bigint;
  /**
   * Nanoseconds from boot to its start, as `CLOCK_MONOTONIC` counts them; null where the kernel has no
   * type data. Another program in the same process changes nothing about it.
   */
  readonly startNs: bigint | null;
  /** The virtual address of its `mm_struct`; null for a kernel thread, and for one that has exited. */
  readonly mm: bigint | null;
  /** The virtual address of its top page table (`mm->pgd`); null without memory. */
  readonly pgd: bigint | null;
}

/** What reading tasks takes. */
export interface TaskSource {
  /** Reads the running kernel's memory; nothing may be kept from before. */
  readonly reader: Reader;
  /** Where members lie. */
  readonly offsets: StructOffsets;
}

const PF_KTHREAD = 0x20_0000;
/** PID_MAX_LIMIT on 64 bits (include/linux/threads.h). */
export const MAX_TASKS = 4 * 1024 * 1024;
const MAX_ATTEMPTS = 5;
const PAGE_BYTES = 0x1000n;
/** include/linux/poison.h, with x86's CONFIG_ILLEGAL_POINTER_VALUE. */
const LIST_POISON2 = 0xdead_0000_0000_0122n;

const TASK_MEMBERS = {
  state: 4,
  flags: 4,
  tasks: 16,
  mm: 8,
  exit_state: 4,
  pid: 4,
  tgid: 4,
  thread_node: 16,
  comm: 16,
  signal: 8,
  // Known where the kernel has type data.
  self_exec_id: 8,
  start_time: 8,
} as const;
/** What tells whether a task still is the same process, and runs the same program. */
const SAME_MEMBERS = { mm: 8, pid: 4, self_exec_id: 8 } as const;
const SIGNAL_MEMBERS = { nr_threads: 4 } as const;
/** The state lies some KiB in front of the rest. A command costs more than as much memory. */
const TASK_GAP_BYTES = 4096;
/** More than a `mm_struct` has: many lie next to each other, and a few bytes of each are wanted. */
const MEMORY_GAP_BYTES = 2048;

/** The members of a `task_struct` that are read. */
export type Task = StructView<keyof typeof TASK_MEMBERS>;
type Same = StructView<keyof typeof SAME_MEMBERS>;

/** Reads tasks while the kernel goes on. */
export class TaskReader {
  readonly #reader: Reader;
  readonly #tasks: StructReader<keyof typeof TASK_MEMBERS>;
  readonly #same: StructReader<keyof typeof SAME_MEMBERS>;
  readonly #memories: StructReader<"pgd">;
  readonly #signals: StructReader<keyof typeof SIGNAL_MEMBERS> | null;
  readonly #threadHead: bigint;
  readonly #hasExecId: boolean;
  readonly #hasStart: boolean;
  readonly #options: ReadOptions;

  constructor({ offsets, reader }: TaskSource, options: ReadOptions = {}) {
    this.#reader = reader;
    this.#options = options;
    this.#hasExecId = offsets.has("task_struct.self_exec_id");
    this.#hasStart = offsets.has("task_struct.start_time");
    const { self_exec_id, start_time, ...always } = TASK_MEMBERS;
    const members = {
      ...always,
      ...this.#hasExecId && { self_exec_id },
      ...this.#hasStart && { start_time },
    };
    const { self_exec_id: _, ...sameAlways } = SAME_MEMBERS;
    const same = this.#hasExecId ? SAME_MEMBERS : sameAlways;
    this.#tasks = new StructReader("task_struct", members, offsets, { gapBytes: TASK_GAP_BYTES });
    this.#same = new StructReader("task_struct", same, offsets);
    this.#memories = new StructReader("mm_struct", { pgd: 8 }, offsets, {
      gapBytes: MEMORY_GAP_BYTES,
    });
    const signal = new StructReader("signal_struct", { thread_head: 8 }, offsets);
    this.#threadHead = signal.offset("thread_head");
    this.#signals = offsets.has("signal_struct.nr_threads")
      ? new StructReader("signal_struct", SIGNAL_MEMBERS, offsets)
      : null;
  }

  /** Reads the task at an address. */
  read(address: bigint): Promise<Task> {
    return this.#tasks.read(this.#reader, address, this.#options);
  }

  /** The task that follows on the list of all processes. */
  nextOf(task: Task): bigint {
    return link(task, "tasks", "next") - this.#tasks.offset("tasks");
  }

  /** The task before it on the list of all processes. */
  previousOf(task: Task): bigint {
    return link(task, "tasks", "prev") - this.#tasks.offset("tasks");
  }

  /**
   * Was the task on the list of all processes? One that is taken off keeps its pointer to the next, and
   * loses that to the one before it (`list_del_rcu`). Whether that one leads back says nothing: it may
   * just have been taken off itself.
   */
  isListed(task: Task): boolean {
    return link(task, "tasks", "prev") !== LIST_POISON2;
  }

  /**
   * What {@linkcode record} says of each of many processes, asked for together.
   *
   * @throws if a process changes faster than it can be read: then {@linkcode isChange} holds of the error
   */
  async records(tasks: readonly Task[]): Promise<(TaskRecord | null)[]> {
    const owners = tasks.filter((task) => !isKernelThread(task) && task.u64("mm") !== 0n);
    const tables = await this.#tablesOf(owners);
    const tableOf = new Map(owners.map((task, i) => [task, tables[i] ?? null]));
    return await Promise.all(tasks.map((task) => {
      const pgd = tableOf.get(task);
      if (pgd) return this.#recordOf(task, task.u64("mm"), pgd);
      return pgd === undefined && (isAlone(task) || isKernelThread(task))
        ? this.#recordOf(task, null, null)
        : this.record(task);
    }));
  }

  /**
   * Everything about the process whose first thread this is, proved to have belonged together. Null if
   * it has left the list meanwhile.
   *
   * @throws if it changes faster than it can be read: then {@linkcode isChange} holds of the error
   */
  async record(task: Task): Promise<TaskRecord | null> {
    let failure: unknown;
    let current = task;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      try {
        return await this.#recordOnce(current);
      } catch (error) {
        if (!isChange(error)) throw error;
        failure = error;
      }
      current = await this.read(task.address);
      if (current.u32("pid") !== task.u32("pid") || !this.isListed(current)) return null;
    }
    throw failure;
  }

  async #recordOnce(task: Task): Promise<TaskRecord> {
    // A kernel thread may borrow a process's memory for a while. A first thread that has ended has
    // given its memory back, while the others go on.
    const owner = isKernelThread(task)
      ? undefined
      : task.u64("mm") !== 0n || isAlone(task)
      ? task
      : (await this.threads(task)).find((thread) => thread.u64("mm") !== 0n);
    if (!owner || owner.u64("mm") === 0n) return await this.#recordOf(task, null, null);
    const [pgd] = await this.#tablesOf([owner]);
    if (!pgd) throw new Changed("a process exits or calls exec");
    return await this.#recordOf(task, owner.u64("mm"), pgd);
  }

  /**
   * The page table of each of some tasks' memories; null where the memory may not have been the task's
   * when it was read. Its address proves nothing: after two programs more a process may have the same
   * `mm_struct` again, which was another's in between. But a task counts each program that it runs
   * (`self_exec_id`) after it has changed its memory, so that there was none between two equal counts.
   */
  async #tablesOf(tasks: readonly Task[]): Promise<(bigint | null)[]> {
    const read = () => {
      const memories = tasks.map((task) => task.u64("mm"));
      return this.#memories.readAll(this.#reader, memories, this.#options);
    };
    const before = await read();
    const addresses = tasks.map(({ address }) => address);
    const same = await this.#same.readAll(this.#reader, addresses, this.#options);
    // Without type data the count is not known: then the table has to be there still.
    const after = this.#hasExecId ? before : await read();
    return tasks.map((task, i) => {
      const pgd = before[i]?.u64("pgd");
      const isProved = pgd !== undefined && isTable(pgd) && after[i]?.u64("pgd") === pgd &&
        this.#isSame(task, same[i]!);
      return isProved ? pgd : null;
    });
  }

  #isSame(task: Task, now: Same | null): boolean {
    return now !== null && now.u64("mm") === task.u64("mm") && now.u32("pid") === task.u32("pid") &&
      (!this.#hasExecId || now.u64("self_exec_id") === task.u64("self_exec_id"));
  }

  async #recordOf(task: Task, mm: bigint | null, pgd: bigint | null): Promise<TaskRecord> {
    return {
      pid: task.u32("tgid"),
      comm: task.text("comm"),
      state: taskState(task.u32("state"), task.u32("exit_state")),
      isKernelThread: isKernelThread(task),
      threadCount: await this.#countThreads(task),
      task: task.address,
      startNs: this.#hasStart ? task.u64("start_time") : null,
      mm,
      pgd,
    };
  }

  async #countThreads(task: Task): Promise<number> {
    if (isAlone(task)) return 1;
    if (!this.#signals) return (await this.threads(task)).length;
    const signal = await this.#signals.read(this.#reader, task.u64("signal"), this.#options);
    const count = signal.u32("nr_threads");
    if (count > MAX_TASKS) throw new Changed("a process has ended");
    return Math.max(1, count);
  }

  /**
   * All threads of a process, by its first one.
   *
   * @throws if they change: then {@linkcode isChange} holds of the error
   */
  async threads(leader: Task): Promise<Task[]> {
    if (isAlone(leader)) return [leader];
    const head = leader.u64("signal") + this.#threadHead;
    const node = this.#tasks.offset("thread_node");
    const threads: Task[] = [];
    let previous = head;
    for (let at = leader.address + node; at !== head;) {
      const task = await this.read(at - node);
      if (link(task, "thread_node", "prev") !== previous || threads.length > MAX_TASKS) {
        throw new Changed("the list of threads is cut");
      }
      threads.push(task);
      previous = at;
      at = link(task, "thread_node", "next");
    }
    return threads;
  }
}

function isKernelThread(task: Task): boolean {
  return Boolean(task.u32("flags") & PF_KTHREAD);
}

/** Both pointers of a single thread's node lead to the list's head. */
function isAlone(task: Task): boolean {
  return link(task, "thread_node", "next") === link(task, "thread_node", "prev");
}

/** Freed memory may hold anything; a page table begins where a page does, in the kernel's half. */
function isTable(pgd: bigint): boolean {
  return pgd >> 63n === 1n && pgd % PAGE_BYTES === 0n;
}

/** A pointer of a `list_head`: the next at 0, the previous at 8. */
function link(task: Task, member: "tasks" | "thread_node", end: "next" | "prev"): bigint {
  return viewOf(task.bytes(member)).getBigUint64(end === "next" ? 0 : 8, true);
}

/** What is told of a thread. */
export function threadOf(task: Task): LinuxThread {
  return {
    tid: task.u32("pid"),
    comm: task.text("comm"),
    state: taskState(task.u32("state"), task.u32("exit_state")),
    task: task.address,
  };
}
