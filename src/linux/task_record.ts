import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed, isChange } from "./changed.ts";
import { type Reader, readU64, viewOf } from "./reader.ts";
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
  /** All threads, the first one included. */
  readonly threads: readonly LinuxThread[];
  /** The virtual address of the first thread's `task_struct`. */
  readonly task: bigint;
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
} as const;

/** The members of a `task_struct` that are read. */
export type Task = StructView<keyof typeof TASK_MEMBERS>;

/** Reads tasks, one at a time, while the kernel goes on. */
export class TaskReader {
  readonly #reader: Reader;
  readonly #tasks: StructReader<keyof typeof TASK_MEMBERS>;
  readonly #pgdOffset: bigint;
  readonly #threadHead: bigint;
  readonly #options: ReadOptions;

  constructor({ offsets, reader }: TaskSource, options: ReadOptions = {}) {
    this.#reader = reader;
    this.#tasks = new StructReader("task_struct", TASK_MEMBERS, offsets);
    this.#pgdOffset = new StructReader("mm_struct", { pgd: 8 }, offsets).offset("pgd");
    const signal = new StructReader("signal_struct", { thread_head: 8 }, offsets);
    this.#threadHead = signal.offset("thread_head");
    this.#options = options;
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
   * Is the task on the list of all processes? One that is taken off keeps its pointer to the next, and
   * loses that to the one before it (`list_del_rcu`).
   */
  async isListed(task: Task): Promise<boolean> {
    try {
      const before = link(task, "tasks", "prev");
      const next = await readU64(this.#reader, before, this.#options);
      return next - this.#tasks.offset("tasks") === task.address;
    } catch (error) {
      if (!isChange(error)) throw error;
      return false;
    }
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
      if (current.u32("pid") !== task.u32("pid") || !await this.isListed(current)) return null;
    }
    throw failure;
  }

  async #recordOnce(task: Task): Promise<TaskRecord> {
    const isKernelThread = Boolean(task.u32("flags") & PF_KTHREAD);
    const threads = await this.#threads(task);
    // A kernel thread may borrow a process's memory for a while. A first thread that has ended has
    // given its memory back, while the others go on.
    const owner = isKernelThread ? null : threads.find((thread) => thread.u64("mm") !== 0n);
    const mm = owner?.u64("mm") ?? 0n;
    let pgd: bigint | null = null;
    if (owner && mm !== 0n) {
      const read = () => this.#u64(mm + this.#pgdOffset);
      pgd = await read();
      // The memory may have been given back meanwhile, and the pgd be another's. After two programs more
      // the process may have the same mm_struct again, which then has another pgd.
      const [after, again] = await Promise.all([
        this.#u64(owner.address + this.#tasks.offset("mm")),
        read(),
      ]);
      if (after !== mm || again !== pgd) {
        throw new Changed("a process exits or becomes another program");
      }
    }
    return {
      pid: task.u32("tgid"),
      comm: task.text("comm"),
      state: taskState(task.u32("state"), task.u32("exit_state")),
      isKernelThread,
      threads: threads.map(threadOf),
      task: task.address,
      mm: mm === 0n ? null : mm,
      pgd,
    };
  }

  async #threads(leader: Task): Promise<Task[]> {
    // Both pointers of a single thread's node lead to the list's head.
    if (link(leader, "thread_node", "next") === link(leader, "thread_node", "prev")) {
      return [leader];
    }
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

  #u64(address: bigint): Promise<bigint> {
    return readU64(this.#reader, address, this.#options);
  }
}

/** A pointer of a `list_head`: the next at 0, the previous at 8. */
function link(task: Task, member: "tasks" | "thread_node", end: "next" | "prev"): bigint {
  return viewOf(task.bytes(member)).getBigUint64(end === "next" ? 0 : 8, true);
}

function threadOf(task: Task): LinuxThread {
  return {
    tid: task.u32("pid"),
    comm: task.text("comm"),
    state: taskState(task.u32("state"), task.u32("exit_state")),
    task: task.address,
  };
}
