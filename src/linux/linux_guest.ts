import { type AddressLike, formatAddress } from "../core/address.ts";
import { type PagingContext, withRoot } from "../cpu/paging_context.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type AreaPages, readAreaPages } from "./area_pages.ts";
import { Btf, type StructLayout } from "./btf/btf.ts";
import {
  AmbiguousProcessError,
  CapabilityError,
  KernelFormatError,
  NoSuchProcessError,
} from "./errors.ts";
import type { KernelSymbol, SymbolAt } from "./kallsyms/kallsyms.ts";
import { Kernel, type KernelParts } from "./kernel.ts";
import { findKptiPairOfRoot } from "./kpti_root.ts";
import { followKernelLog, type FollowLogOptions, type LogOptions, readKernelLog } from "./log.ts";
import { type MemoryArea, readMemoryAreas } from "./memory_areas.ts";
import type { LogRecord } from "./printk_ring.ts";
import { type LinuxThread, readTaskList, type TaskRecord } from "./task_list.ts";
import type { TaskState } from "./task_state.ts";
import type { VfioLogRecord } from "./vfio_log.ts";
import { type VfioMapping, VfioMappings } from "./vfio_mappings.ts";
import { findLoggedPages, type LoggedPage } from "./vfio_pages.ts";

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

/** What a Linux guest lets one know, and what {@linkcode LinuxGuest.attach} needs. */
export type LinuxGuestParts = KernelParts;

const USER_HALF = 0x1000n;
const MAX_LISTED = 20;

/**
 * A Linux guest, known from its memory alone: no debug symbols, no agent, no pause. It takes x86-64
 * kernels from 5.10 on with their symbols (`CONFIG_KALLSYMS_ALL`, as distributions build them).
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
export class LinuxGuest {
  readonly #kernel: Kernel;
  readonly #memory: PhysicalMemory;
  readonly #vfio: VfioMappings;
  #kpti: Promise<boolean> | null = null;

  private constructor(kernel: Kernel, memory: PhysicalMemory) {
    this.#kernel = kernel;
    this.#vfio = new VfioMappings(kernel);
    this.#memory = memory;
  }

  /**
   * Finds the guest's kernel: tens of milliseconds over a monitor.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux, or not yet
   * @throws {KernelFormatError} if its kernel cannot be read
   * @throws {CapabilityError} if its kernel was built without what is needed
   */
  static async attach(parts: LinuxGuestParts): Promise<LinuxGuest> {
    return new LinuxGuest(await Kernel.find(parts), parts.memory);
  }

  /** Whether the kernel that was found still runs, not another one after a reboot. */
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

  /** The paging context with the kernel's own root. */
  get context(): PagingContext {
    return this.#kernel.context;
  }

  /** The virtual address of `_text`, which KASLR moves. */
  get text(): bigint {
    return this.#kernel.image.text;
  }

  /** Reads by kernel virtual address. @throws {PageFaultError} if nothing is mapped there */
  read(address: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.#kernel.live.read(address, lengthBytes, options);
  }

  /** Finds a symbol by its name; null if the kernel has none. Modules' symbols are not known. */
  symbol(name: string): Promise<KernelSymbol | null> {
    return this.#kernel.symbol(name);
  }

  /** Finds the symbol that an address belongs to; null outside the kernel's image. */
  symbolAt(address: AddressLike): Promise<SymbolAt | null> {
    return this.#kernel.symbolAt(address);
  }

  /** All symbols in address order, as `/proc/kallsyms` lists them; some megabytes are read once. */
  symbols(): Promise<readonly KernelSymbol[]> {
    return this.#kernel.kallsyms.all();
  }

  /**
   * The layout of a struct or union of the kernel; null if it has none of that name.
   *
   * @throws {CapabilityError} if the kernel has no type data (BTF)
   */
  async type(name: string): Promise<StructLayout | null> {
    const blob = await this.#kernel.types();
    if (!blob) {
      throw new CapabilityError(
        "types",
        `This kernel (${this.version}) has no type data: it was built without CONFIG_DEBUG_INFO_BTF`,
      );
    }
    const btf = new Btf(blob);
    for (const id of blob.idsOf(name.replace(/^(struct|union)\s+/, ""))) {
      const layout = await btf.layout(id);
      if (layout) return layout;
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
    const offsets = await this.#kernel.offsets("processes");
    const initTask = await this.#kernel.address("init_task");
    if (initTask === null) {
      throw new CapabilityError("processes", "This kernel's symbols do not include init_task");
    }
    const source = { reader: this.#kernel.live, offsets, initTask };
    const tasks = await readTaskList(source, options);
    const roots = await Promise.all(tasks.map((task) => this.#rootOf(task, options)));
    const kpti = await this.#hasKpti(roots.filter((root) => root !== null), options);
    await this.#kernel.keepKnowledge();
    return tasks.map(({ pid, comm, state, isKernelThread, threads, task, mm }, i) => {
      const root = roots[i]!;
      const userRoot = root !== null && kpti ? root | USER_HALF : null;
      return { pid, comm, state, isKernelThread, root, userRoot, threads, task, mm };
    });
  }

  /**
   * Finds one process by its pid or its name. A number is a pid, a text a name.
   *
   * @throws {NoSuchProcessError} if there is none
   * @throws {AmbiguousProcessError} if several have that name
   */
  async process(wanted: number | string, options: ReadOptions = {}): Promise<LinuxProcess> {
    const all = await this.processes(options);
    if (typeof wanted === "number") {
      return all.find(({ pid }) => pid === wanted) ?? noSuchPid(wanted, all);
    }
    const named = all.filter(({ comm }) => comm === wanted);
    if (named.length > 1) {
      throw new AmbiguousProcessError(wanted, named.map(({ pid }) => pid));
    }
    return named[0] ?? noSuchName(wanted, all);
  }

  /**
   * Lists the memory areas of a process in address order, as `/proc/PID/maps` does.
   *
   * @throws {NoSuchProcessError} if the process has no memory
   * @throws {InconsistentListError} if they change faster than they can be read
   * @throws {CapabilityError} if the kernel does not tell how they are laid out
   */
  async vmas(process: LinuxProcess, options: ReadOptions = {}): Promise<MemoryArea[]> {
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
  areaPages(
    process: LinuxProcess,
    areas: readonly MemoryArea[],
    options: ReadOptions = {},
  ): AsyncGenerator<AreaPages, void> {
    return readAreaPages(this.#memory, this.contextOf(process), areas, {
      ...options,
      ...process.userRoot !== null && { userRoot: process.userRoot },
    });
  }

  /**
   * Lists the memory that a process has mapped for DMA by VFIO, from the books of the kernel's type 1
   * driver: what VFIO has pinned, whatever any log says. It takes a container (`/dev/vfio/vfio`) that
   * the process still holds open. Reading the types that this takes, once, costs about a second
   * over a monitor; a process without a container costs nothing of it.
   *
   * @throws {NoSuchProcessError} if the process has no memory
   * @throws {InconsistentListError} if the mappings change faster than they can be read
   * @throws {CapabilityError} if the kernel or its VFIO modules have no type data (BTF), or the process
   * maps memory by iommufd, or has more than 65536 files open
   */
  async vfioMappings(process: LinuxProcess, options: ReadOptions = {}): Promise<VfioMapping[]> {
    const { mm, pid, threads } = process;
    if (mm === null) throw withoutMemory(process);
    const mappings = await this.#vfio.of({ pid, threads, mm }, options);
    await this.#kernel.keepKnowledge();
    return mappings;
  }

  /**
   * Finds for each page of a log the process that it belongs to.
   *
   * @throws {InconsistentListError} if the list of processes changes faster than it can be read
   */
  async *loggedPages(
    records: readonly VfioLogRecord[],
    options: ReadOptions = {},
  ): AsyncGenerator<LoggedPage<LinuxProcess>, void> {
    const owners = (await this.processes(options))
      .filter(({ root }) => root !== null)
      .map((process) => ({ process, context: this.contextOf(process) }));
    yield* findLoggedPages(this.#memory, owners, records, options);
  }

  /**
   * Reads the kernel's log, the oldest record first.
   *
   * @throws {CapabilityError} if the kernel is older than 5.10
   */
  dmesg(options: LogOptions = {}): Promise<LogRecord[]> {
    return readKernelLog(this.#kernel, options);
  }

  /**
   * Yields the log's records, then each new one as the kernel logs it, until the signal ends it.
   *
   * @throws {CapabilityError} if the kernel is older than 5.10
   * @throws the signal's reason
   */
  followDmesg(options: FollowLogOptions = {}): AsyncGenerator<LogRecord, void> {
    return followKernelLog(this.#kernel, options);
  }

  /** The paging context of a process. @throws {NoSuchProcessError} if it has no memory */
  contextOf(process: LinuxProcess): PagingContext {
    if (process.root === null) throw withoutMemory(process);
    return withRoot(this.#kernel.context, process.root);
  }

  async #rootOf({ pgd, pid }: TaskRecord, options: ReadOptions): Promise<bigint | null> {
    if (pgd === null) return null;
    const root = this.#kernel.live.physicalOf(pgd) ?? await this.#translate(pgd, options);
    if (root % 0x1000n !== 0n) {
      throw new KernelFormatError("mm_struct", `process ${pid} has a page table at no page`, pgd);
    }
    return root;
  }

  async #translate(address: bigint, options: ReadOptions): Promise<bigint> {
    const { AddressSpace } = await import("../paging/address_space.ts");
    const space = new AddressSpace(this.#memory, this.#kernel.context);
    const physical = await space.translate(address, options);
    if (physical === null) {
      throw new KernelFormatError("page table", `${formatAddress(address)} is not mapped`, address);
    }
    return physical;
  }

  /** Whether page tables come in pairs: told from the tables, once, by the first that shows it. */
  async #hasKpti(roots: readonly bigint[], options: ReadOptions): Promise<boolean> {
    if (roots.length === 0) return false;
    return await (this.#kpti ??= this.#findKpti(roots, options));
  }

  async #findKpti(roots: readonly bigint[], options: ReadOptions): Promise<boolean> {
    for (const root of roots.slice(0, 1)) {
      const context = withRoot(this.#kernel.context, root);
      if (await findKptiPairOfRoot(this.#memory, context, options)) return true;
    }
    return false;
  }
}

function withoutMemory({ pid, comm, isKernelThread }: LinuxProcess): NoSuchProcessError {
  const why = isKernelThread ? "it is a thread of the kernel" : "it has exited";
  return new NoSuchProcessError(pid, `Process ${pid} (${comm}) has no memory of its own: ${why}`);
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
