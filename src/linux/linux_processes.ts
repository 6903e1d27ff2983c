import { checkOptions, SIGNAL } from "../core/options.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import { Btf, type StructLayout } from "./btf/btf.ts";
import type { BtfBlob } from "./btf/btf_source.ts";
import { CapabilityError, NoSuchProcessError } from "./errors.ts";
import { Kernel, type KernelParts } from "./kernel.ts";
import { type LinuxProcess, Processes, type WantedProcess } from "./processes.ts";
import { readRunningTasks, type RunningTask } from "./running_tasks.ts";
import type { LinuxThread } from "./task_record.ts";

/** What a Linux guest lets one know, and what {@linkcode LinuxProcesses.attach} needs. */
export type LinuxGuestParts = KernelParts;

/**
 * A Linux guest as far as checks of single addresses take it: its processes and their tables.
 * {@linkcode LinuxGuest} adds their memory, the log and VFIO; a script that checks one page need not load
 * that.
 *
 * @example Usage
 * ```ts
 * import { GuestSession, HmpClient, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { monitorSource } from "@pagewalk/pagewalk/extend";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const monitor = await HmpClient.open(simulatedGuest().transport());
 * await using guest = new GuestSession({ source: monitorSource(monitor) });
 * await assertRejects(async () => await (await guest.linux()).process(84), LinuxNotFoundError);
 * ```
 */
export class LinuxProcesses {
  readonly #kernel: Kernel;
  readonly #processes: Processes;

  /** Use {@linkcode LinuxProcesses.attach}. @ignore */
  protected constructor(kernel: Kernel, memory: PhysicalMemory) {
    this.#kernel = kernel;
    this.#processes = new Processes(kernel, memory);
  }

  /**
   * Finds the guest's kernel: tens of milliseconds over a monitor.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux, or not yet
   * @throws {KernelFormatError} if its kernel cannot be read
   * @throws {CapabilityError} if its kernel was built without what is needed
   */
  static async attach(parts: LinuxGuestParts): Promise<LinuxProcesses> {
    return new LinuxProcesses(await Kernel.find(parts), parts.memory);
  }

  /** Whether the kernel that was found still runs: a vCPU maps it, and it is not another one. */
  isCurrent(): Promise<boolean> {
    return this.#kernel.isCurrent();
  }

  /** The kernel's release, as `uname -r` says it. */
  get version(): string {
    return this.#kernel.vmcoreinfo.osRelease;
  }

  /** The id of the kernel's build in hexadecimal; null before 5.9. */
  get buildId(): string | null {
    return this.#kernel.vmcoreinfo.buildId;
  }

  /**
   * How many bits a physical address has, as the kernel found it at boot: MAXPHYADDR on x86
   * (`boot_cpu_data.x86_phys_bits`); null if it does not say. A kernel that encrypts memory takes the bits of
   * the keys off.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async physicalAddressBits(): Promise<number | null> {
    const { physicalBits } = this.context.rules.kernel;
    if (physicalBits === undefined) return null;
    const address = await this.#kernel.address(physicalBits.variable);
    const layout = await this.type(physicalBits.struct);
    const member = layout?.members.find(({ name }) => name === physicalBits.member);
    if (address === null || member === undefined) return null;
    const [bits] = await this.#kernel.live.read(address + BigInt(member.offset), 1);
    const [least, most] = physicalBits.bounds;
    return bits! >= least && bits! <= most ? bits! : null;
  }

  /** The paging context with the kernel's own root. */
  get context(): Regime {
    return this.#kernel.context;
  }

  /**
   * The layout of a struct or union of the kernel; null if it has none of that name.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async type(name: string): Promise<StructLayout | null> {
    const blob = await this.#types();
    const btf = new Btf(blob);
    for (const id of await blob.idsOf(name.replace(/^(struct|union)\s+/, ""))) {
      const layout = await btf.layout(id);
      if (layout) return layout;
    }
    return null;
  }

  /**
   * The names of the kernel's types; some megabytes are read once.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async typeNames(): Promise<readonly string[]> {
    return [...await (await this.#types()).names()];
  }

  async #types(): Promise<BtfBlob> {
    const blob = await this.#kernel.types.all();
    if (blob) return blob;
    throw new CapabilityError(
      "types",
      `This kernel (${this.version}) has no type data: it was built without CONFIG_DEBUG_INFO_BTF`,
    );
  }

  /**
   * The values of an enumeration of the kernel by their names; null if it has none of that name.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async enumeration(name: string): Promise<ReadonlyMap<string, number> | null> {
    const blob = await this.#types();
    const btf = new Btf(blob);
    for (const id of await blob.idsOf(name)) {
      const values = await btf.enumeration(id);
      if (values) return values;
    }
    return null;
  }

  /**
   * Lists all processes and the kernel's threads, in the order of the kernel's list, while the guest
   * goes on. What existed all the time is in the list.
   *
   * @throws {InconsistentListError} if the list changes faster than it can be read
   * @throws {CapabilityError} if the kernel does not tell how its tasks are laid out
   */
  async processes(options: ReadOptions = {}): Promise<LinuxProcess[]> {
    checkReads(options);
    const processes = await this.#processes.list(options);
    await this.#kernel.keepKnowledge();
    return processes;
  }

  /**
   * Finds one process: by its pid, its name or other traits. A number is a pid, a text a name.
   *
   * @throws {NoSuchProcessError} if there is none
   * @throws {AmbiguousProcessError} if it fits several
   */
  async process(wanted: WantedProcess, options: ReadOptions = {}): Promise<LinuxProcess> {
    checkReads(options);
    const found = await this.#processes.find(wanted, options);
    await this.#kernel.keepKnowledge();
    return found;
  }

  /**
   * What the first processors of the guest run now, in their order. Empty if the kernel's symbols do not
   * tell.
   *
   * @throws {CapabilityError} if the kernel does not tell how its tasks are laid out
   */
  runningTasks(cpus: number, options: ReadOptions = {}): Promise<RunningTask[]> {
    checkReads(options);
    return readRunningTasks(this.#kernel, cpus, options);
  }

  /** Whether a process still runs, with the memory that it had: what was read of it then is its own. */
  stillRuns(process: LinuxProcess, options: ReadOptions = {}): Promise<boolean> {
    checkReads(options);
    return this.#processes.stillRuns(process, options);
  }

  /**
   * Lists the threads of a process, the first one included.
   *
   * @throws {NoSuchProcessError} if the process has ended
   * @throws {InconsistentListError} if they change faster than they can be read
   */
  async threads(process: LinuxProcess, options: ReadOptions = {}): Promise<LinuxThread[]> {
    checkReads(options);
    return await this.#processes.threads(process, options);
  }

  /** The paging context of a process. @throws {NoSuchProcessError} if it has no memory */
  contextOf(process: LinuxProcess): Regime {
    if (process.root === null) throw withoutMemory(process);
    return withRoot(this.#kernel.context, process.root);
  }
}

/** Checks the options of a reading. */
export function checkReads(options: ReadOptions): void {
  checkOptions(options, "the options of a reading", { signal: SIGNAL });
}

/** The error for a process without memory of its own. */
export function withoutMemory({ pid, comm, isKernelThread }: LinuxProcess): NoSuchProcessError {
  const why = isKernelThread ? "it is a thread of the kernel" : "it has exited";
  return new NoSuchProcessError(pid, `Process ${pid} (${comm}) has no memory of its own: ${why}`);
}
