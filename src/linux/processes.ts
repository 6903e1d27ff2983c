import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import { withRoot } from "../translate/regime.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { Changed, untilWhole } from "./changed.ts";
import {
  AmbiguousProcessError,
  CapabilityError,
  KernelFormatError,
  NoSuchProcessError,
} from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { findViews } from "../translate/views.ts";
import { canLookUpPids, findPid, type PidSource } from "./pid_lookup.ts";
import { ProcessDetails } from "./process_details.ts";
import { readTaskList, type TaskListSource } from "./task_list.ts";
import { type LinuxThread, TaskReader, type TaskRecord, threadOf } from "./task_record.ts";
import type { TaskState } from "./task_state.ts";

/** A process of a Linux guest. */
export interface LinuxProcess {
  /** The process id, as the guest's first pid namespace counts. */
  readonly pid: number;
  /** Its name: at most 15 bytes. */
  readonly comm: string;
  /** What its first thread does: `R`, `S`, `D`, `T`, `t`, `X`, `Z`, `P` or `I`. */
  readonly state: TaskState;
  /** Is it a thread of the kernel? Those have no memory of their own. */
  readonly isKernelThread: boolean;
  /** The physical address of its top page table; null for one without memory. */
  readonly root: bigint | null;
  /** Under KPTI, that of the table which user code runs on; else null. */
  readonly userRoot: bigint | null;
  /** How many threads it has, the first one included. */
  readonly threadCount: number;
  /** The virtual address of the first thread's `task_struct`. */
  readonly task: bigint;
  /**
   * Nanoseconds from boot to its start, as `CLOCK_MONOTONIC` counts them; null where the kernel has no
   * type data.
   */
  readonly startNs: bigint | null;
  /** The virtual address of its `mm_struct`; null for one without memory. */
  readonly mm: bigint | null;
}
const MAX_LISTED = 20;
const MAX_ATTEMPTS = 20;

/** Which process: by its pid, by its name, or by a text that its command line has. */
export type WantedProcess = number | string | { readonly cmdline: string };

/** The processes of a kernel, and how to find one. */
export class Processes {
  readonly #kernel: Kernel;
  readonly #memory: PhysicalMemory;
  #kpti: Promise<boolean> | null = null;

  /** Prepares; nothing is read yet. */
  constructor(kernel: Kernel, memory: PhysicalMemory) {
    this.#kernel = kernel;
    this.#memory = memory;
  }

  /** Lists all of them, and the kernel's threads; see `LinuxGuest.processes`. */
  async list(options: ReadOptions): Promise<LinuxProcess[]> {
    const records = await readTaskList(await this.#source(), options);
    return await Promise.all(records.map((record) => this.#processOf(record, options)));
  }

  /** Finds one by its pid or its name; see `LinuxGuest.process`. */
  async find(wanted: WantedProcess, options: ReadOptions): Promise<LinuxProcess> {
    if (typeof wanted === "number") return await this.#byPid(wanted, options);
    if (typeof wanted === "object") return await this.#byCommandLine(wanted.cmdline, options);
    const all = await this.list(options);
    const exact = all.filter(({ comm }) => comm === wanted);
    // As it is printed, if it has to be escaped for that.
    const named = exact.length > 0 ? exact : all.filter(({ comm }) => escapeText(comm) === wanted);
    if (named.length > 1) throw new AmbiguousProcessError(wanted, named.map(({ pid }) => pid));
    return named[0] ?? noSuchName(wanted, all);
  }

  async #byCommandLine(text: string, options: ReadOptions): Promise<LinuxProcess> {
    const all = await this.list(options);
    const details = new ProcessDetails(
      this.#kernel.live,
      await this.#kernel.offsets("details"),
      options,
    );
    const lines = await Promise.all(all.map((process) => {
      const context = process.root === null ? null : withRoot(this.#kernel.context, process.root);
      return details.commandLine(process, this.#memory, context);
    }));
    const found = all.filter((_, i) => lines[i]?.join(" ").includes(text));
    if (found.length > 1) {
      const pids = found.map(({ pid }) => pid);
      throw new AmbiguousProcessError(text, pids, "have a command line with");
    }
    if (found[0]) return found[0];
    const unread = all.filter(({ root }, i) => root !== null && lines[i] === null).length;
    const hint = unread > 0 ? ` (those of ${unread} processes could not be read)` : "";
    throw new NoSuchProcessError(
      text,
      `The guest has no process with "${text}" in its command line${hint}; it has ${listed(all)}`,
    );
  }

  /** All threads of one, the first one included; see `LinuxGuest.threads`. */
  async threads({ task, pid }: LinuxProcess, options: ReadOptions): Promise<LinuxThread[]> {
    const tasks = new TaskReader(await this.#source(), options);
    return await untilWhole("The process's list of threads", MAX_ATTEMPTS, async () => {
      const leader = await tasks.read(task);
      if (leader.u32("tgid") !== pid || !tasks.isListed(leader)) {
        throw new NoSuchProcessError(pid, `Process ${pid} has ended`);
      }
      return (await tasks.threads(leader)).map(threadOf);
    });
  }

  /** By the kernel's own tree of pids, or where its layout is not known by the list of all. */
  async #byPid(pid: number, options: ReadOptions): Promise<LinuxProcess> {
    const source = await this.#source();
    const offsets = await this.#kernel.offsets("pids");
    if (!canLookUpPids(offsets)) {
      const all = await this.list(options);
      return all.find((process) => process.pid === pid) ?? noSuchPid(pid, all);
    }
    const found = await untilWhole(
      "The tree of pids",
      MAX_ATTEMPTS,
      () => this.#recordOf(pid, { ...source, offsets }, new TaskReader(source, options), options),
    );
    if (found === null) return noSuchPid(pid, await this.list(options));
    if (found.pid !== pid) return isThreadOf(pid, found);
    return await this.#processOf(found, options);
  }

  /** The process that has a pid, or whose thread has it. */
  async #recordOf(
    pid: number,
    source: PidSource,
    tasks: TaskReader,
    options: ReadOptions,
    mayBeThread = true,
  ): Promise<TaskRecord | null> {
    const owner = await findPid(source, pid, options);
    if (owner === null) return null;
    const task = await tasks.read(owner.task);
    const leader = task.u32("tgid");
    const isLeader = leader === pid;
    if (task.u32("pid") !== pid || (owner.kind === "process") !== isLeader) {
      throw new Changed("the pid belongs to another task");
    }
    if (!isLeader) {
      if (!mayBeThread) throw new Changed("the first thread of a process is another's");
      return await this.#recordOf(leader, source, tasks, options, false);
    }
    const [record] = await tasks.records([task]);
    return record ?? null;
  }

  async #source(): Promise<TaskListSource> {
    const offsets = await this.#kernel.offsets("processes");
    const initTask = await this.#kernel.address("init_task");
    if (initTask === null) {
      throw new CapabilityError("processes", "This kernel's symbols do not include init_task");
    }
    return { reader: this.#kernel.live, offsets, initTask };
  }

  async #processOf(record: TaskRecord, options: ReadOptions): Promise<LinuxProcess> {
    const { pgd, ...rest } = record;
    const root = pgd === null ? null : await this.#physical(pgd, record.pid, options);
    const isPair = root !== null && await this.#hasKpti(root, options);
    return { ...rest, root, userRoot: isPair ? this.#userRoot(root) : null };
  }

  async #physical(pgd: bigint, pid: number, options: ReadOptions): Promise<bigint> {
    const root = await this.#kernel.physical(pgd, options);
    if (root === null) {
      throw new KernelFormatError("page table", `${formatAddress(pgd)} is not mapped`, pgd);
    }
    if (root % 0x1000n !== 0n) {
      throw new KernelFormatError("mm_struct", `process ${pid} has a misaligned page table`, pgd);
    }
    return root;
  }

  #userRoot(root: bigint): bigint | null {
    return this.#kernel.context.rules.views?.partnerOf(root) ?? null;
  }

  /** Whether page tables come in pairs: told from those of one process, for all of them. */
  #hasKpti(root: bigint, options: ReadOptions): Promise<boolean> {
    if (this.#kpti) return this.#kpti;
    const context = withRoot(this.#kernel.context, root);
    const found = findViews(this.#memory, context, options).then((views) => views !== null);
    // Called off, it says nothing about the next time.
    found.catch(() => this.#kpti = null);
    return this.#kpti = found;
  }
}

function noSuchPid(wanted: number, all: readonly LinuxProcess[]): never {
  throw new NoSuchProcessError(wanted, `The guest has no process ${wanted}; it has ${listed(all)}`);
}

function isThreadOf(wanted: number, { pid, comm }: TaskRecord): never {
  throw new NoSuchProcessError(
    wanted,
    `${wanted} is a thread of process ${pid} (${comm}): use that pid`,
  );
}

function noSuchName(wanted: string, all: readonly LinuxProcess[]): never {
  const isTooLong = new TextEncoder().encode(wanted).length > 15;
  const hint = isTooLong ? " (the kernel keeps 15 bytes of a name)" : "";
  throw new NoSuchProcessError(
    wanted,
    `The guest has no process named "${wanted}"${hint}; it has ${listed(all)}`,
  );
}

/** The processes with memory: the others are of no use to whoever mistyped a name. */
function listed(all: readonly LinuxProcess[]): string {
  const users = all.filter(({ root }) => root !== null);
  const names = users.slice(0, MAX_LISTED).map(({ pid, comm }) => `${pid} ${comm}`).join(", ");
  return users.length > MAX_LISTED ? `${names}, and ${users.length - MAX_LISTED} more` : names;
}
