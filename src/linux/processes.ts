import { formatAddress } from "../core/address.ts";
import { withRoot } from "../translate/regime.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { isChange } from "./changed.ts";
import {
  AmbiguousProcessError,
  CapabilityError,
  KernelFormatError,
  NoSuchProcessError,
} from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { findViews } from "../translate/views.ts";
import { readTaskList, type TaskListSource } from "./task_list.ts";
import { type LinuxThread, TaskReader, type TaskRecord } from "./task_record.ts";
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
  /** All threads, the first one included. */
  readonly threads: readonly LinuxThread[];
  /** The virtual address of the first thread's `task_struct`. */
  readonly task: bigint;
  /** The virtual address of its `mm_struct`; null for one without memory. */
  readonly mm: bigint | null;
}
const MAX_LISTED = 20;

/** The processes of a kernel, and how to find one. */
export class Processes {
  readonly #kernel: Kernel;
  readonly #memory: PhysicalMemory;
  /** Where a process was found before, by its pid: asked again, it is looked for there first. */
  #seen = new Map<number, bigint>();
  #kpti: Promise<boolean> | null = null;

  /** Prepares; nothing is read yet. */
  constructor(kernel: Kernel, memory: PhysicalMemory) {
    this.#kernel = kernel;
    this.#memory = memory;
  }

  /** Lists all of them, and the kernel's threads; see `LinuxGuest.processes`. */
  async list(options: ReadOptions): Promise<LinuxProcess[]> {
    const records = await readTaskList(await this.#source(), options);
    this.#seen = new Map(records.map(({ pid, task }) => [pid, task]));
    return await Promise.all(records.map((record) => this.#processOf(record, options)));
  }

  /** Finds one by its pid or its name; see `LinuxGuest.process`. */
  async find(wanted: number | string, options: ReadOptions): Promise<LinuxProcess> {
    if (typeof wanted === "number") {
      const again = await this.#seenBefore(wanted, options);
      if (again) return again;
    }
    const all = await this.list(options);
    if (typeof wanted === "number") {
      return all.find(({ pid }) => pid === wanted) ?? noSuchPid(wanted, all);
    }
    const named = all.filter(({ comm }) => comm === wanted);
    if (named.length > 1) throw new AmbiguousProcessError(wanted, named.map(({ pid }) => pid));
    return named[0] ?? noSuchName(wanted, all);
  }

  /** The process where it was seen, if it still is there: some reads, instead of some for each. */
  async #seenBefore(pid: number, options: ReadOptions): Promise<LinuxProcess | null> {
    const address = this.#seen.get(pid);
    if (address === undefined) return null;
    const tasks = new TaskReader(await this.#source(), options);
    try {
      const task = await tasks.read(address);
      const isSame = task.u32("pid") === pid && task.u32("tgid") === pid;
      if (!isSame || !await tasks.isListed(task)) return null;
      const record = await tasks.record(task);
      return record && await this.#processOf(record, options);
    } catch (error) {
      if (isChange(error)) return null;
      throw error;
    }
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
    const root = this.#kernel.live.physicalOf(pgd) ?? await this.#translate(pgd, options);
    if (root % 0x1000n !== 0n) {
      throw new KernelFormatError("mm_struct", `process ${pid} has a page table at no page`, pgd);
    }
    return root;
  }

  async #translate(address: bigint, options: ReadOptions): Promise<bigint> {
    const { AddressSpace } = await import("../translate/address_space.ts");
    const space = new AddressSpace(this.#memory, this.#kernel.context);
    const physical = await space.translate(address, options);
    if (physical === null) {
      throw new KernelFormatError("page table", `${formatAddress(address)} is not mapped`, address);
    }
    return physical;
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
  const thread = all.find(({ threads }) => threads.some(({ tid }) => tid === wanted));
  throw new NoSuchProcessError(
    wanted,
    thread
      ? `${wanted} is a thread of process ${thread.pid} (${thread.comm}): use that pid`
      : `The guest has no process ${wanted}; it has ${listed(all)}`,
  );
}

function noSuchName(wanted: string, all: readonly LinuxProcess[]): never {
  const hint = wanted.length > 15 ? " (the kernel keeps 15 characters of a name)" : "";
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
