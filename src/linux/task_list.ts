import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed, isChange } from "./changed.ts";
import { InconsistentListError, KernelFormatError } from "./errors.ts";
import {
  MAX_TASKS,
  type Task,
  TaskReader,
  type TaskRecord,
  type TaskSource,
} from "./task_record.ts";

/** What reading the task list takes. */
export interface TaskListSource extends TaskSource {
  /** The address of `init_task`. */
  readonly initTask: bigint;
}

/** How often a list may be found changed before it is given up; a fork bomb would go on for ever. */
const MAX_REPAIRS = 1000;
/** So many processes are read about together, while the list is followed on. */
const TOGETHER = 256;

/**
 * Reads the list of all processes while the kernel goes on changing it, without a lock. Each task is
 * taken only if its back pointer leads to the one before it, so that a task which was freed or used
 * again cannot lead astray; where it does not, the walk goes back to the last task that still is on the
 * list. What existed all the time is in the result, and everything in it was on the list.
 *
 * @throws {InconsistentListError} if the list does not stand still long enough
 * @throws {KernelFormatError} if it is not a task list
 */
export async function readTaskList(
  source: TaskListSource,
  options: ReadOptions = {},
): Promise<TaskRecord[]> {
  return await new TaskListWalk(source, options).run();
}

/** A task on the way through the list, and what is found out about its process meanwhile. */
interface Link {
  task: Task;
  /** Null if the process has turned out to be gone; undefined as long as nothing is known. */
  record: TaskRecord | null | undefined;
}

class TaskListWalk {
  readonly #tasks: TaskReader;
  readonly #initTask: bigint;
  /** The idle task's, which has no record, then one for each process. */
  readonly #chain: Link[] = [];
  readonly #onChain = new Map<bigint, Link>();
  /** Those that nothing is asked about yet. */
  #unasked: Link[] = [];
  readonly #asked: Promise<void>[] = [];
  #repairs = 0;
  /** Why the walk cannot go on, from reading about a process behind it. */
  #failure: { readonly error: unknown } | null = null;

  constructor(source: TaskListSource, options: ReadOptions) {
    this.#tasks = new TaskReader(source, options);
    this.#initTask = source.initTask;
  }

  async run(): Promise<TaskRecord[]> {
    const head = await this.#tasks.read(this.#initTask);
    if (!/^swapper/.test(head.text("comm")) || head.u32("pid") !== 0) {
      throw new KernelFormatError(
        "task list",
        "it does not begin with the idle task",
        head.address,
      );
    }
    this.#push({ task: head, record: null });
    for (let isOpen = true; isOpen;) {
      try {
        isOpen = await this.#follow();
      } catch (error) {
        if (!isChange(error)) throw error;
        this.#countRepair(error);
        await this.#stepBack();
      }
    }
    return await this.#records();
  }

  /** All that is known about the processes of the list, once it has been followed to its end. */
  async #records(): Promise<TaskRecord[]> {
    this.#ask();
    await Promise.all(this.#asked);
    this.#check();
    const records: TaskRecord[] = [];
    for (const link of this.#chain.slice(1)) {
      while (link.record === undefined) {
        try {
          link.record = await this.#tasks.record(link.task);
        } catch (error) {
          if (!isChange(error)) throw error;
          this.#countRepair(error);
        }
      }
      if (link.record !== null) records.push(link.record);
    }
    return records;
  }

  /** @throws {InconsistentListError} if there were too many */
  #countRepair(cause: unknown): void {
    if (++this.#repairs > MAX_REPAIRS) {
      throw new InconsistentListError("The task list", this.#repairs, { cause });
    }
  }

  /** Takes one task more; false at the end of the list. */
  async #follow(): Promise<boolean> {
    const last = this.#chain.at(-1)!.task;
    const next = this.#tasks.nextOf(last);
    if (next === this.#initTask) {
      // Closed only if the head's back pointer agrees; else tasks were added or removed.
      const again = await this.#tasks.read(this.#initTask);
      if (this.#tasks.previousOf(again) !== last.address) {
        throw new Changed("the list has another end");
      }
      return false;
    }
    const task = await this.#readLinked(next, last.address);
    const before = this.#onChain.get(next);
    if (before) this.#replace(before);
    this.#push({ task, record: undefined });
    if (this.#chain.length > MAX_TASKS) throw new KernelFormatError("task list", "it has no end");
    if (this.#unasked.length === TOGETHER) this.#ask();
    this.#check();
    return true;
  }

  /** @throws what reading about a process has come to in the meantime */
  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Starts to read about those that were found since the last time. Nobody waits for it here. */
  #ask(): void {
    const links = this.#unasked.filter((link) => this.#onChain.get(link.task.address) === link);
    this.#unasked = [];
    this.#asked.push(
      this.#tasks.records(links.map(({ task }) => task)).then(
        (records) => records.forEach((record, i) => links[i]!.record = record),
        (error) => {
          // If one of them changes too fast, each is asked about alone in the end.
          if (!isChange(error)) this.#failure ??= { error };
        },
      ),
    );
  }

  /** Goes back to the last task that is on the list now, and reads its pointers again. */
  async #stepBack(): Promise<void> {
    while (this.#chain.length > 1) {
      const last = this.#chain.at(-1)!;
      try {
        const again = await this.#readLinked(
          last.task.address,
          this.#chain.at(-2)!.task.address,
        );
        if (again.u32("pid") === last.task.u32("pid")) {
          last.task = again;
          return;
        }
      } catch (error) {
        if (!isChange(error)) throw error;
      }
      this.#pop();
    }
    this.#chain[0]!.task = await this.#tasks.read(this.#initTask);
  }

  async #readLinked(address: bigint, previous: bigint): Promise<Task> {
    const task = await this.#tasks.read(address);
    if (this.#tasks.previousOf(task) !== previous) throw new Changed("the task list is cut");
    return task;
  }

  /** The process that was at this place has ended since, and a new one has its `task_struct`. */
  #replace(link: Link): void {
    this.#countRepair(new Changed("the list has a loop"));
    this.#chain.splice(this.#chain.indexOf(link), 1);
    this.#onChain.delete(link.task.address);
  }

  #push(link: Link): void {
    if (this.#chain.push(link) > 1) this.#unasked.push(link);
    this.#onChain.set(link.task.address, link);
  }

  #pop(): void {
    this.#onChain.delete(this.#chain.pop()!.task.address);
  }
}
