import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import { withRoot } from "../translate/regime.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { BatchingReader } from "./batching_reader.ts";
import { Changed, isChange, untilWhole } from "./changed.ts";
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

/** What people know a process by; it has to have all that are given. */
export interface ProcessTraits {
  /** Its name: at most 15 bytes. */
  readonly comm?: string;
  /** A text that its command line has in it. */
  readonly cmdline?: string;
  /**
   * Its cgroup: a path that begins with `/` is that of the group or of one that it is in; any other text is
   * a part of the path, such as the id of a container.
   */
  readonly cgroup?: string;
  /** Its pid in a pid namespace other than the first: as it is known inside its container. */
  readonly nspid?: number;
}

/** Which process: a number is a pid, a text a name. */
export type WantedProcess = number | string | ProcessTraits;

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

  /** Finds one by its pid, its name or other traits; see `LinuxGuest.process`. */
  async find(wanted: WantedProcess, options: ReadOptions): Promise<LinuxProcess> {
    if (typeof wanted === "number") return await this.#byPid(wanted, options);
    const traits = typeof wanted === "string" ? { comm: wanted } : wanted;
    const all = await this.list(options);
    const { comm, ...others } = traits;
    const named = comm === undefined ? all : namedBy(all, comm);
    const asked = Object.values(others).some((value) => value !== undefined);
    if (!asked && comm !== undefined) return theOnly(named, all, traits, 0);
    const details = new ProcessDetails(
      new BatchingReader(this.#kernel.live, options),
      await this.#kernel.offsets("details"),
      options,
    );
    const matches = await Promise.all(named.map((each) => this.#has(details, each, others)));
    const found = named.filter((_, i) => matches[i] === true);
    const unread = matches.filter((match) => match === null).length;
    return theOnly(found, all, traits, unread);
  }

  /** Has a process these traits? Null if that cannot be read. */
  async #has(
    details: ProcessDetails,
    process: LinuxProcess,
    { cgroup, cmdline, nspid }: ProcessTraits,
  ): Promise<boolean | null> {
    try {
      if (nspid !== undefined) {
        const [, ...inside] = await details.namespacePids(process);
        if (!inside.includes(nspid)) return false;
      }
      if (cgroup !== undefined && !isInGroup(await details.cgroup(process), cgroup)) return false;
      if (cmdline === undefined) return true;
      const { root } = process;
      // A thread of the kernel has none.
      if (root === null) return false;
      const context = withRoot(this.#kernel.context, root);
      const line = await details.commandLine(process, this.#memory, context);
      return line && line.join(" ").includes(cmdline);
    } catch (error) {
      if (!isChange(error)) throw error;
      return null;
    }
  }

  /** Whether one still is on the list, with the same memory; see `LinuxGuest.stillRuns`. */
  async stillRuns(process: LinuxProcess, options: ReadOptions): Promise<boolean> {
    const tasks = new TaskReader(await this.#source(), options);
    try {
      const task = await tasks.read(process.task);
      if (task.u32("tgid") !== process.pid || !tasks.isListed(task)) return false;
      const record = await tasks.record(task);
      return record?.mm === process.mm && record.startNs === process.startNs;
    } catch (error) {
      if (isChange(error)) return false;
      throw error;
    }
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

/** Those of that name, also as it is printed, if it has to be escaped for that. */
function namedBy(all: readonly LinuxProcess[], name: string): readonly LinuxProcess[] {
  const exact = all.filter(({ comm }) => comm === name);
  return exact.length > 0 ? exact : all.filter(({ comm }) => escapeText(comm) === name);
}

/** Is a cgroup the one that is asked for, or within it? */
function isInGroup(path: string, wanted: string): boolean {
  if (!wanted.startsWith("/")) return path.includes(wanted);
  const group = wanted.replace(/\/+$/, "");
  return path === group || path.startsWith(`${group}/`);
}

/** The one process that was found; if it is not one, whoever asked gets the list. */
function theOnly(
  found: readonly LinuxProcess[],
  all: readonly LinuxProcess[],
  traits: ProcessTraits,
  unread: number,
): LinuxProcess {
  const { comm, cmdline, cgroup, nspid } = traits;
  const known = [cmdline, cgroup, nspid].some((trait) => trait !== undefined);
  if (found.length === 1) return found[0]!;
  const [text, plural, singular] = known
    ? [traitsText(traits), "are", "process with"]
    : [comm ?? "", "are named", "process named"];
  if (found.length > 1) {
    const pids = found.map(({ pid }) => pid);
    if (!known) throw new AmbiguousProcessError(text, pids, plural);
    throw new AmbiguousProcessError(text, pids, "have", namesOf(found));
  }
  const isTooLong = comm !== undefined && new TextEncoder().encode(comm).length > 15;
  const hints = [
    isTooLong ? " (the kernel keeps 15 bytes of a name)" : "",
    unread > 0 ? ` (those of ${unread} processes could not be read)` : "",
  ].join("");
  const what = known ? text : `"${text}"`;
  throw new NoSuchProcessError(
    text,
    `The guest has no ${singular} ${what}${hints}; it has ${listed(all)}`,
  );
}

/** What was asked for, in words: `"huge=" in its command line and pid 7 in its container`. */
function traitsText({ comm, cmdline, cgroup, nspid }: ProcessTraits): string {
  return [
    comm === undefined ? [] : `the name "${comm}"`,
    cmdline === undefined ? [] : `"${cmdline}" in the command line`,
    cgroup === undefined ? [] : `the cgroup "${cgroup}"`,
    nspid === undefined ? [] : `pid ${nspid} in a container`,
  ].flat().join(" and ");
}

/** The processes with memory: the others are of no use to whoever mistyped a name. */
function listed(all: readonly LinuxProcess[]): string {
  return namesOf(all.filter(({ root }) => root !== null));
}

function namesOf(all: readonly LinuxProcess[]): string {
  const names = all.slice(0, MAX_LISTED).map(({ pid, comm }) => `${pid} ${comm}`).join(", ");
  return all.length > MAX_LISTED ? `${names}, and ${all.length - MAX_LISTED} more` : names;
}
