import { withUserView } from "../translate/regime.ts";
import type { AddressLike } from "../core/address.ts";
import { checkOptions, LIST } from "../core/options.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { NotPresentContent } from "../translate/entry.ts";
import { AbsentPages } from "./absent_pages.ts";
import { type AreaPages, readAreaPages } from "./area_pages.ts";
import type { KernelSymbol, SymbolAt } from "./kallsyms/kallsyms.ts";
import { Kernel } from "./kernel.ts";
import {
  checkReads,
  type LinuxGuestInit,
  LinuxProcesses,
  withoutMemory,
} from "./linux_processes.ts";
import {
  FOLLOW_LOG_SHAPE,
  followKernelLog,
  type FollowLogOptions,
  LOG_SHAPE,
  type LogOptions,
  readKernelLog,
} from "./log.ts";
import type { MemoryArea } from "./memory_area.ts";
import { readMemoryAreas } from "./memory_areas.ts";
import type { LogRecord } from "./printk_ring.ts";
import { ProcessDetails } from "./process_details.ts";
import type { LinuxProcess } from "./processes.ts";
import type { VfioLogRecord } from "./vfio_log_record.ts";
import { WALK_MANY_SHAPE, type WalkManyOptions } from "../translate/walk_many.ts";
import {
  type VfioContainer,
  type VfioMapping,
  VfioMappings,
  type VfioOwner,
} from "./vfio_mappings.ts";
import { findLoggedPages, type LoggedPage } from "./vfio_pages.ts";

/** The kernel of a guest: for what looks into it without being loaded with each check. */
export let kernelOf: (linux: LinuxGuest) => Kernel;

/**
 * A Linux guest, known from its memory alone: no debug symbols, no agent, no pause. It takes x86-64
 * kernels from 5.10 on, and riscv64 kernels from 6.3 on, with their symbols (`CONFIG_KALLSYMS_ALL`, as
 * distributions build them).
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { assertRejects } from "@std/assert";
 *
 * async function rootOf(monitor: string, pid: number): Promise<bigint | null> {
 *   await using guest = await connect(monitor);
 *   const linux = await guest.linux();
 *   return (await linux.process(pid)).root;
 * }
 *
 * await assertRejects(() => rootOf("sim:", 84), LinuxNotFoundError); // it runs no kernel
 * ```
 */
export class LinuxGuest extends LinuxProcesses {
  static {
    kernelOf = (linux) => linux.#kernel;
  }
  readonly #kernel: Kernel;
  readonly #memory: PhysicalMemory;
  readonly #vfio: VfioMappings;
  readonly #absent: AbsentPages;

  private constructor(kernel: Kernel, memory: PhysicalMemory) {
    super(kernel, memory);
    this.#kernel = kernel;
    this.#vfio = new VfioMappings(kernel);
    this.#memory = memory;
    this.#absent = new AbsentPages(kernel);
  }

  /**
   * Finds the guest's kernel: tens of milliseconds over a monitor.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux, or not yet
   * @throws {KernelFormatError} if its kernel cannot be read
   * @throws {CapabilityError} if its kernel was built without what is needed
   */
  static override async attach(parts: LinuxGuestInit): Promise<LinuxGuest> {
    return new LinuxGuest(await Kernel.find(parts), parts.memory);
  }

  /** The virtual address of `_text`, which KASLR moves. */
  get text(): bigint {
    return this.#kernel.image.text;
  }

  /**
   * Names what an entry that is not present means to this kernel: what its special types are depends on
   * its release, and on what is built in. What cannot be told is left as it is.
   */
  nameAbsent(content: NotPresentContent): Promise<NotPresentContent> {
    return this.#absent.nameAbsent(content);
  }

  /** Reads by kernel virtual address. @throws {PageFaultError} if nothing is mapped there */
  read(address: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.#kernel.live.read(address, lengthBytes, options);
  }

  /**
   * The virtual address of frame 0's `struct page`, by the kernel's own word or by where kernels of its
   * architecture have it; null if nobody tells.
   */
  async frameTable(): Promise<bigint | null> {
    return await this.#kernel.variable("vmemmap_base") ??
      this.#kernel.vmcoreinfo.symbols.get("vmemmap") ?? this.context.rules.kernel.frameTable ??
      null;
  }

  /** Finds a symbol of the kernel's image by its name; null if it has none. For modules: `kernelModules`. */
  symbol(name: string): Promise<KernelSymbol | null> {
    return this.#kernel.symbol(name);
  }

  /** Finds the symbol that an address belongs to; null outside the kernel's image. */
  symbolAt(address: AddressLike): Promise<SymbolAt | null> {
    return this.#kernel.symbolAt(address);
  }

  /** All symbols of the image in address order, as `/proc/kallsyms` lists them; some megabytes are read once. */
  symbols(): Promise<readonly KernelSymbol[]> {
    return this.#kernel.kallsyms.all();
  }

  /**
   * The arguments that a process was started with, as `/proc/PID/cmdline` has them: at most 4096 bytes.
   * The process may have changed them. Null if it has no memory, or they cannot be read, as when they are
   * swapped out.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async commandLine(process: LinuxProcess, options: ReadOptions = {}): Promise<string[] | null> {
    const context = process.root === null ? null : this.contextOf(process);
    return await (await this.#details(options)).commandLine(process, this.#memory, context);
  }

  /**
   * The path of a process's cgroup in the unified hierarchy: which service or container it belongs to.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF), or no cgroups
   */
  async cgroup(process: LinuxProcess, options: ReadOptions = {}): Promise<string> {
    return await (await this.#details(options)).cgroup(process);
  }

  /**
   * A process's pid in each pid namespace that it is in, the first one's first: in a container the last
   * is the one that is known there.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async namespacePids(process: LinuxProcess, options: ReadOptions = {}): Promise<number[]> {
    return await (await this.#details(options)).namespacePids(process);
  }

  async #details(options: ReadOptions): Promise<ProcessDetails> {
    checkReads(options);
    return new ProcessDetails(this.#kernel.live, await this.#kernel.offsets("details"), options);
  }

  /**
   * Lists the memory areas of a process in address order, as `/proc/PID/maps` does.
   *
   * @throws {NoSuchProcessError} if the process has no memory
   * @throws {InconsistentListError} if they change faster than they can be read
   * @throws {CapabilityError} if the kernel does not tell how they are laid out
   */
  async vmas(process: LinuxProcess, options: ReadOptions = {}): Promise<MemoryArea[]> {
    checkReads(options);
    if (process.mm === null) throw withoutMemory(process);
    const areas = await readMemoryAreas(this.#kernel, process.mm, options);
    await this.#kernel.keepKnowledge();
    return areas;
  }

  /**
   * Sums up what the page tables say about memory areas of a process, in the order of the areas.
   *
   * @throws {NoSuchProcessError} if the process has no memory
   */
  async *areaPages(
    process: LinuxProcess,
    areas: readonly MemoryArea[],
    options: ReadOptions = {},
  ): AsyncGenerator<AreaPages, void> {
    checkReads(options);
    const { root, userRoot } = process;
    const views = root === null || userRoot === null ? null : { kernelRoot: root, userRoot };
    const context = withUserView(this.contextOf(process), views);
    yield* readAreaPages(this.#memory, context, areas, this.#absent, options);
  }

  /**
   * Lists the memory that a process has mapped for DMA by VFIO, from the DMA list of the kernel's type1
   * driver, or from iommufd's areas: what VFIO has pinned, whatever any log says. It takes a container or a
   * context that the process still holds open. No kernel of Debian's has iommufd: its reader was tried on
   * built memory only.
   *
   * @throws {NoSuchProcessError} if the process has no memory
   * @throws {InconsistentListError} if the mappings change faster than they can be read
   * @throws {CapabilityError} if the kernel or its VFIO modules have no type data (BTF), or the process
   * has more than 65536 files open
   */
  async vfioMappings(process: LinuxProcess, options: ReadOptions = {}): Promise<VfioMapping[]> {
    const mappings = await this.#vfio.of(this.#vfioOwner(process, options), options);
    await this.#kernel.keepKnowledge();
    return mappings;
  }

  /**
   * The same by container, with the guest-physical addresses of the IOMMU's top tables behind each; see
   * {@linkcode LinuxGuest.vfioMappings}.
   */
  async vfioContainers(process: LinuxProcess, options: ReadOptions = {}): Promise<VfioContainer[]> {
    const held = await this.#vfio.containersOf(this.#vfioOwner(process, options), options);
    await this.#kernel.keepKnowledge();
    return await Promise.all(held.map(async (container) => {
      const { tables } = container;
      if (tables === null) return container;
      const physical = await Promise.all(tables.map((table) => this.#kernel.physical(table)));
      return { ...container, tables: physical.filter((table) => table !== null) };
    }));
  }

  #vfioOwner(process: LinuxProcess, options: ReadOptions): VfioOwner {
    checkReads(options);
    const { mm, pid, task, threadCount } = process;
    if (mm === null) throw withoutMemory(process);
    const threads = async () => (await this.threads(process, options)).map(({ task }) => task);
    return { pid, task, mm, threadCount, threads };
  }

  /**
   * Finds for each record of a log the processes that map its address, all or those given. Each page
   * table is read for all records together.
   *
   * @throws {InconsistentListError} if the list of processes changes faster than it can be read
   * @throws {NoSuchProcessError} if a process that was given has no memory
   */
  async *loggedPages(
    records: readonly VfioLogRecord[],
    options: WalkManyOptions & { among?: readonly LinuxProcess[] } = {},
  ): AsyncGenerator<LoggedPage<LinuxProcess>, void> {
    checkOptions(options, "the options of a search", { ...WALK_MANY_SHAPE, among: LIST });
    const { among, ...reads } = options;
    const { signal } = reads;
    const processes = among ??
      (await this.processes(signal ? { signal } : {})).filter(({ root }) => root !== null);
    const owners = processes.map((process) => ({ process, context: this.contextOf(process) }));
    yield* findLoggedPages(this.#memory, owners, records, reads);
  }

  /**
   * Reads the kernel's log, the oldest record first.
   *
   * @throws {CapabilityError} if the kernel is older than 5.10
   */
  async dmesg(options: LogOptions = {}): Promise<LogRecord[]> {
    checkOptions(options, "the options of a log", LOG_SHAPE);
    return await readKernelLog(this.#kernel, options);
  }

  /**
   * Yields the log's records, then each new one as the kernel logs it, until the signal ends it.
   * `Session.followLog` goes on with the next kernel.
   *
   * @throws {KernelGoneError} if the kernel no longer runs
   * @throws {CapabilityError} if the kernel is older than 5.10
   * @throws the signal's reason
   */
  async *followDmesg(options: FollowLogOptions = {}): AsyncGenerator<LogRecord, void> {
    checkOptions(options, "the options of a log", FOLLOW_LOG_SHAPE);
    yield* followKernelLog(this.#kernel, options);
  }
}
