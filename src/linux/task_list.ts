import { MemoryReadError, type ReadOptions } from "../memory/physical_memory.ts";
import { PageFaultError } from "../paging/address_space.ts";
import { InconsistentListError, KernelFormatError } from "./errors.ts";
import type { Reader } from "./reader.ts";
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

/** What reading the task list takes. */
export interface TaskListSource {
  /** Reads the running kernel's memory; nothing may be kept from before. */
  readonly reader: Reader;
  /** Where members lie. */
  readonly offsets: StructOffsets;
  /** The address of `init_task`. */
  readonly initTask: bigint;
}

const PF_KTHREAD = 0x20_0000;
/** PID_MAX_LIMIT on 64 bits (include/linux/threads.h). */
const MAX_TASKS = 4 * 1024 * 1024;
/** How often a list may be found changed before it is given up; a fork bomb would go on for ever. */
const MAX_REPAIRS = 1000;
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
type Task = StructView<keyof typeof TASK_MEMBERS>;

/** What was read no longer is what it was a moment before. */
class Changed extends Error {}

/**
 * Reads the list of all processes while the kernel goes on changing it, without a lock. Each task is
 * taken only if its back pointer leads to the one before it, so that a task which was freed or used
 * anew cannot lead astray; where it does not, the walk goes back to the last task that still is on the
 * list. What existed all the time is in the result, and everything in it was on the list.
 *
 * @throws {InconsistentListError} if the list does not stand still long enough
 * @throws {KernelFormatError} if it is no task list
 */
export async function readTaskList(
  source: TaskListSource,
  options: ReadOptions = {},
): Promise<TaskRecord[]> {
  return await new TaskListWalk(source, options).run();
}

class TaskListWalk {
  readonly #reader: Reader;
  readonly #tasks: StructReader<keyof typeof TASK_MEMBERS>;
  readonly #pgdOffset: bigint;
  readonly #threadHead: bigint;
  readonly #initTask: bigint;
  readonly #options: ReadOptions;

  constructor(source: TaskListSource, options: ReadOptions) {
    const { offsets, reader, initTask } = source;
    this.#reader = reader;
    this.#tasks = new StructReader("task_struct", TASK_MEMBERS, offsets);
    this.#pgdOffset = new StructReader("mm_struct", { pgd: 8 }, offsets).offset("pgd");
    const signal = new StructReader("signal_struct", { thread_head: 8 }, offsets);
    this.#threadHead = signal.offset("thread_head");
    this.#initTask = initTask;
    this.#options = options;
  }

  async run(): Promise<TaskRecord[]> {
    const head = await this.#read(this.#initTask);
    if (!/^swapper/.test(head.text("comm")) || head.u32("pid") !== 0) {
      throw new KernelFormatError(
        "task list",
        "it does not begin with the idle task",
        head.address,
      );
    }
    const chain: { task: Task; record: TaskRecord | null }[] = [{ task: head, record: null }];
    const onChain = new Set([head.address]);
    let repairs = 0;
    for (;;) {
      const last = chain.at(-1)!.task;
      const next = link(last, "tasks", 0) - this.#tasks.offset("tasks");
      try {
        if (next === this.#initTask) {
          // Closed only if the head's back pointer agrees; else tasks were added or removed.
          const again = await this.#read(this.#initTask);
          if (link(again, "tasks", 8) - this.#tasks.offset("tasks") !== last.address) {
            throw new Changed("the list has another end");
          }
          return chain.slice(1).map(({ record }) => record!);
        }
        if (onChain.has(next)) throw new Changed("the list leads back to a task it had");
        const task = await this.#readLinked(next, last.address);
        chain.push({ task, record: await this.#record(task) });
        onChain.add(next);
        if (chain.length > MAX_TASKS) throw new KernelFormatError("task list", "it has no end");
      } catch (error) {
        const changed = asChanged(error);
        if (++repairs > MAX_REPAIRS) {
          throw new InconsistentListError("The task list", repairs, { cause: changed });
        }
        await this.#stepBack(chain, onChain);
      }
    }
  }

  /** Goes back to the last task that is on the list now, and reads its pointers anew. */
  async #stepBack(
    chain: { task: Task; record: TaskRecord | null }[],
    onChain: Set<bigint>,
  ): Promise<void> {
    while (chain.length > 1) {
      const { task, record } = chain.at(-1)!;
      try {
        const again = await this.#readLinked(task.address, chain.at(-2)!.task.address);
        if (again.u32("pid") === task.u32("pid")) {
          chain[chain.length - 1] = { task: again, record };
          return;
        }
      } catch (error) {
        asChanged(error);
      }
      chain.pop();
      onChain.delete(task.address);
    }
    chain[0] = { task: await this.#read(this.#initTask), record: null };
  }

  async #readLinked(address: bigint, previous: bigint): Promise<Task> {
    const task = await this.#read(address);
    if (link(task, "tasks", 8) - this.#tasks.offset("tasks") !== previous) {
      throw new Changed(`the task list is cut`);
    }
    return task;
  }

  /** Everything about a process, proved to have belonged together. */
  async #record(task: Task): Promise<TaskRecord> {
    const isKernelThread = Boolean(task.u32("flags") & PF_KTHREAD);
    const threads = await this.#threads(task);
    // A kernel thread may borrow a process's memory for a while. A first thread that has ended has
    // given its memory back, while the others go on.
    const owner = isKernelThread ? null : threads.find((thread) => thread.u64("mm") !== 0n);
    const mm = owner?.u64("mm") ?? 0n;
    let pgd: bigint | null = null;
    if (owner && mm !== 0n) {
      pgd = await this.#u64(mm + this.#pgdOffset);
      // The memory may have been given back meanwhile, and the pgd be another's.
      const after = await this.#u64(owner.address + this.#tasks.offset("mm"));
      if (after !== mm) throw new Changed("a process exits or becomes another program");
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
    if (link(leader, "thread_node", 0) === link(leader, "thread_node", 8)) return [leader];
    const head = leader.u64("signal") + this.#threadHead;
    let failure: unknown;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      try {
        return await this.#threadsOnce(leader.address, head);
      } catch (error) {
        failure = asChanged(error);
      }
    }
    throw failure;
  }

  async #threadsOnce(leader: bigint, head: bigint): Promise<Task[]> {
    const node = this.#tasks.offset("thread_node");
    const threads: Task[] = [];
    let previous = head;
    for (let at = leader + node; at !== head;) {
      const task = await this.#read(at - node);
      if (link(task, "thread_node", 8) !== previous || threads.length > MAX_TASKS) {
        throw new Changed("the list of threads is cut");
      }
      threads.push(task);
      previous = at;
      at = link(task, "thread_node", 0);
    }
    return threads;
  }

  #read(address: bigint): Promise<Task> {
    return this.#tasks.read(this.#reader, address, this.#options);
  }

  async #u64(address: bigint): Promise<bigint> {
    const bytes = await this.#reader.read(address, 8, this.#options);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }
}

/** A pointer of a `list_head`: the next at 0, the previous at 8. */
function link(task: Task, member: "tasks" | "thread_node", at: 0 | 8): bigint {
  const bytes = task.bytes(member);
  return new DataView(bytes.buffer, bytes.byteOffset, 16).getBigUint64(at, true);
}

function threadOf(task: Task): LinuxThread {
  return {
    tid: task.u32("pid"),
    comm: task.text("comm"),
    state: taskState(task.u32("state"), task.u32("exit_state")),
    task: task.address,
  };
}

/** A pointer out of a freed task may lead anywhere: that too means that the list has changed. */
function asChanged(error: unknown): unknown {
  if (
    error instanceof Changed || error instanceof MemoryReadError || error instanceof PageFaultError
  ) return error;
  throw error;
}
