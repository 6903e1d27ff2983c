import type { AddressLike } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { NoTablesError } from "../translate/no_tables.ts";
import type { GuestRegisters } from "../arch/registers.ts";
import type { CpuRegisters, PagingContext, PagingContextOptions } from "../arch/default_types.ts";
import type { Regime } from "../translate/regime.ts";
import type { ElfKernel } from "../elf_kernel/elf_kernel.ts";
import type { LinuxProcesses } from "../linux/linux_processes.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { AddressSpace } from "../translate/address_space.ts";
import type { WalkOptions } from "../translate/walk.ts";
import { completeExpectation, type Expectation } from "../verify/expectation.ts";
import { judge, type Verdict } from "../verify/verdict.ts";
import type { Freezer } from "./freeze.ts";
import { type GuestSource, NoMonitorError } from "../connectors/connector.ts";
import {
  type GuestWalk,
  type GuestWalkOptions,
  splitWalkOptions,
  walkGuest,
} from "./guest_walk.ts";
import type { LinuxAttachment, LinuxKnowledge } from "./linux_attachment.ts";
import type { PhysicalBits } from "./physical_bits.ts";
import type { PageTable, TableChoice } from "./table_choice.ts";
import { type ProcessSource, TableFinder } from "./table_finder.ts";

/** A verdict that knows whose tables it judged. */
export type GuestVerdict = Verdict & {
  /** What the tables say, and whose they are. */
  readonly walk: GuestWalk;
};

/** What a {@linkcode Session} is made of. */
export interface SessionInit {
  /** The path of the ELF file of the guest's kernel. @default the guest runs Linux */
  readonly kernel?: string;
  /** A folder to keep what was learned about kernels in. @default nothing is kept */
  readonly kernelCacheDir?: string;
  /** Files with the types of the guest's kernel; what it has in memory is used without. */
  readonly btf?: readonly string[];
  /** Called with what a user should know about the guest's kernel. */
  onNotice?(text: string): void;
  /** The open connection to the guest; the session closes it. */
  readonly source: GuestSource;
  /** What the registers do not tell of the guest's paging. */
  readonly paging?: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: string;
  /** Whether the one register that points to an IOMMU's tables may be read. @default {true} */
  readonly mmio?: boolean;
}

/**
 * A connection to one guest, as far as checks of single addresses take it: its registers, its memory, and
 * the way of an address through its page tables. {@linkcode Session} adds what looks at ranges and whole
 * address spaces; a script that checks one page need not load that.
 *
 * @example Usage
 * ```ts
 * import { GuestSession, HmpClient } from "@pagewalk/pagewalk";
 * import { monitorSource } from "@pagewalk/pagewalk/extend";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const monitor = await HmpClient.open(simulatedGuest().transport());
 * await using guest = new GuestSession({ source: monitorSource(monitor) });
 * assertEquals((await guest.verify(0x7f1234567000n)).verdict, "pass");
 * ```
 */
export class GuestSession implements AsyncDisposable {
  /** The guest's physical memory; only RAM and ROM are read. */
  readonly memory: PhysicalMemory;
  readonly #source: GuestSource;
  readonly #tables: TableFinder;
  readonly #kernelPath: string | undefined;
  #elfKernel: Promise<ElfKernel> | null = null;
  readonly #named: number | undefined;
  #freezer: Freezer | null = null;
  #bits: Promise<PhysicalBits> | null = null;
  readonly #kernelCacheDir: string | undefined;
  readonly #btf: readonly string[] | undefined;
  readonly #onNotice: ((text: string) => void) | undefined;
  #linux: Promise<LinuxAttachment> | null = null;

  /** Assembles a session from its parts; {@linkcode connect} is the usual way to one. */
  constructor(parts: SessionInit) {
    const { source, kernel, kernelCacheDir, btf, onNotice, mode, paging = {} } = parts;
    const { memory, cpus } = source;
    this.memory = memory;
    this.#source = source;
    this.#kernelPath = kernel;
    this.#named = paging.physicalAddressBits;
    this.#tables = new TableFinder({
      cpus,
      memory,
      paging,
      ...mode !== undefined && { mode },
      processes: () => this.#processes(),
      device: (device, options) => this.deviceTable(device, options),
    });
    this.#kernelCacheDir = kernelCacheDir;
    this.#btf = btf;
    this.#onNotice = onNotice;
  }

  /** What the session is connected to, as a user would type it. */
  get endpoint(): string {
    return this.#source.endpoint;
  }

  /** QEMU's version, such as `7.2.22`; empty if the connector does not tell. */
  get qemuVersion(): string {
    return this.#source.qemuVersion;
  }

  /** What a user should know of this connection, such as that it pauses the guest; or null. */
  get notice(): string | null {
    return this.#source.notice ?? null;
  }

  /**
   * The monitor that the guest is asked through.
   *
   * @throws {NoMonitorError} if the connector has none: a dump
   */
  get monitor(): Monitor {
    const { monitor, endpoint } = this.#source;
    if (monitor === undefined) throw new NoMonitorError(endpoint);
    return monitor;
  }

  /**
   * Reads the registers of one vCPU: the monitor's current one, or the one named. They are typed as x86's;
   * those of a RISC-V guest say so by their `architecture`.
   */
  registers<R extends GuestRegisters = CpuRegisters>(cpu?: number): Promise<R> {
    return this.#source.cpus.registers(cpu) as Promise<R>;
  }

  /** Reads the registers of every vCPU, in order. */
  allRegisters<R extends GuestRegisters = CpuRegisters>(): Promise<R[]> {
    return this.#source.cpus.allRegisters() as Promise<R[]>;
  }

  /**
   * The Linux that the guest runs: its processes and their tables, read from guest memory. Found once,
   * and again after the guest has rebooted. That of a {@linkcode Session} knows more.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux, or not yet
   * @throws {KernelFormatError} if its kernel cannot be read
   * @throws {CapabilityError} if its kernel was built without what is needed
   */
  async linux(): Promise<LinuxProcesses> {
    this.#linux ??= this.#linuxAttachment();
    return await (await this.#linux).linux();
  }

  /** What a Linux guest is known by; loaded only where one is asked for. */
  protected async linuxKnowledge(): Promise<LinuxKnowledge> {
    return (await import("../linux/linux_processes.ts")).LinuxProcesses;
  }

  async #linuxAttachment(): Promise<LinuxAttachment> {
    const { LinuxAttachment } = await import("./linux_attachment.ts");
    return new LinuxAttachment({
      memory: this.memory,
      vcpus: this.#tables.vcpus,
      knowledge: await this.linuxKnowledge(),
      ...this.#kernelCacheDir !== undefined && { kernelCacheDir: this.#kernelCacheDir },
      ...this.#btf !== undefined && { btf: this.#btf },
      ...this.#kernelPath !== undefined && { kernel: this.#kernelPath },
      ...this.#onNotice !== undefined && { onNotice: this.#onNotice },
    });
  }

  /** The path of the ELF file of the guest's kernel; null if none was named: then its Linux is asked. */
  get kernelPath(): string | null {
    return this.#kernelPath ?? null;
  }

  /**
   * The guest's kernel by its ELF file, the `kernel` of the connection's options: xv6 and kernels like it.
   *
   * @throws {InvalidArgumentError} if no file was named
   * @throws {ElfFormatError} if it is no kernel with an array of processes
   * @throws {WrongKernelError} if the guest runs another kernel
   */
  elfKernel(): Promise<ElfKernel> {
    const path = this.#kernelPath;
    if (path === undefined) {
      return Promise.reject(
        new InvalidArgumentError("No kernel's ELF file is named: give its path as `kernel`", path),
      );
    }
    const opened = this.#elfKernel ??= this.#openElfKernel(path);
    // What failed once may not the next time: the guest boots.
    opened.catch(() => this.#elfKernel = null);
    return opened;
  }

  async #openElfKernel(path: string): Promise<ElfKernel> {
    const { openElfKernel } = await import("./linux_attachment.ts");
    const context = () => this.#tables.anyContext({});
    return await openElfKernel(path, { memory: this.memory, context });
  }

  async #processes(): Promise<ProcessSource> {
    if (this.#kernelPath !== undefined) return await this.elfKernel();
    const { processesOf } = await import("./linux_attachment.ts");
    return processesOf(await this.linux());
  }

  /**
   * Finds the page table that a choice means. `sampleMs` needs the address it samples for. Its context is
   * typed as x86's; of another architecture it is that one's, which `context.rules.architecture` names.
   *
   * @throws {InvalidArgumentError} if the choice names two tables
   * @throws {NoSuchCpuError} if the guest has no such vCPU
   * @throws {NoSuchProcessError} if the guest has no such process
   * @throws {AmbiguousProcessError} if several processes have that name
   * @throws {LinuxNotFoundError} if a process was named, but the guest runs no Linux
   * @throws {NoIommuError} if a device was named, but the guest has no IOMMU
   * @throws {DeviceNotTranslatedError} if that device's DMA is passed through or blocked
   */
  pageTable<C extends Regime = PagingContext>(
    choice: TableChoice = {},
    address?: AddressLike,
    options: ReadOptions = {},
  ): Promise<PageTable<C>> {
    return this.#tables.find(choice, address, options) as Promise<PageTable<C>>;
  }

  /**
   * The chosen tables as an address space, to walk and read through many times. `sampleMs` needs the
   * address it samples for.
   *
   * @throws {NoTablesError} if the vCPU does not translate by the guest's tables
   */
  async addressSpace<C extends Regime = PagingContext>(
    choice: TableChoice = {},
    address?: AddressLike,
  ): Promise<AddressSpace<C>> {
    const { context } = await this.pageTable<C>(choice, address);
    requireTablesOrIdentity(context);
    return new AddressSpace(this.memory, context);
  }

  /**
   * Walks the chosen tables for an address; without a choice, the current vCPU's.
   *
   * @throws {InvalidArgumentError} if the address or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async walk(address: AddressLike, options: GuestWalkOptions = {}): Promise<GuestWalk> {
    const [choice, walkOptions] = splitWalkOptions(options);
    const table = await this.pageTable(choice, address, readOptionsOf(walkOptions));
    return await this.walkTable(table, address, walkOptions);
  }

  /**
   * Returns the physical address of a linear one, or null if no page is mapped there.
   *
   * With paging off it is the same one, below 4 GiB.
   *
   * @throws {PageFaultError} if the tables could not be read, so that it is not known
   * @throws {NoTablesError} if the vCPU does not translate by the guest's tables
   */
  async translate(address: AddressLike, options: TableChoice = {}): Promise<bigint | null> {
    const { context } = await this.pageTable(options, address);
    requireTablesOrIdentity(context);
    return await new AddressSpace(this.memory, context).translate(address);
  }

  /**
   * Judges the mapping of an address; without an expectation, whether `_PAGE_USER` is clear in the
   * page's own entry.
   */
  async verify(
    address: AddressLike,
    expectation?: Expectation,
    options: GuestWalkOptions = {},
  ): Promise<GuestVerdict> {
    if (expectation !== undefined) completeExpectation(expectation);
    const found = await this.walk(address, options);
    return { ...judge(found, expectation), walk: found };
  }

  /**
   * Runs a block while the guest is paused, for answers that must fit together, and leaves the guest
   * as it was found: a running one runs on, a paused one stays paused, also if the block throws, the
   * connection breaks or the script is interrupted. This is the only thing that ever pauses a guest.
   *
   * @throws {GuestLeftPausedError} if the guest cannot be resumed
   * @throws whatever the block throws
   */
  async frozen<T>(block: () => Promise<T>): Promise<T> {
    const { Freezer } = await import("./freeze.ts");
    this.#freezer ??= new Freezer(this.#source);
    return await this.#freezer.run(block);
  }

  /** The same without asking the guest's kernel: two commands at most, for listings. */
  async machinePhysicalBits(): Promise<number | null> {
    return await (await this.#physicalBits()).ofMachine();
  }

  /**
   * MAXPHYADDR of the guest's vCPUs: as the options say, else asked for once, of the machine
   * (`phys-bits`), then of the guest's Linux; null if nobody tells it.
   */
  async physicalAddressBits(): Promise<number | null> {
    return await (await this.#physicalBits()).ofMachineOrKernel();
  }

  #physicalBits(): Promise<PhysicalBits> {
    return this.#bits ??= import("./physical_bits.ts").then(({ PhysicalBits }) =>
      new PhysicalBits({
        named: this.#named,
        monitor: this.#source.monitor,
        linux: () => this.linux(),
      })
    );
  }

  /** Finds the tables that translate a device's DMA. */
  protected deviceTable(device: string, _options: ReadOptions): Promise<PageTable> {
    const message =
      "A session for checks of single pages does not read devices' tables: connect()" +
      " makes one that does";
    return Promise.reject(new InvalidArgumentError(message, device));
  }

  /** Walks tables that were found. */
  protected walkTable(
    table: PageTable,
    address: AddressLike,
    options: WalkOptions = {},
  ): Promise<GuestWalk> {
    const physicalAddressBits = () => this.physicalAddressBits();
    return walkGuest({ memory: this.memory, physicalAddressBits }, table, address, options);
  }

  /** Closes the connection and leaves the guest as it was. May be called twice. */
  close(): Promise<void> {
    return this.#source.close();
  }

  /** Ends the connection. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Throws if a vCPU does not translate by the guest's tables. */
export function requireTables({ noTables }: Regime): void {
  if (noTables !== undefined) throw new NoTablesError(noTables);
}

/** With paging off, linear addresses can still be read: they are physical ones. */
function requireTablesOrIdentity(context: Regime): void {
  const isOff = context.spans.every(({ levels }) => levels.length === 0);
  const kind = context.noTables?.kind;
  if (!isOff || kind === "smm" || kind === "nested") requireTables(context);
}

/** What reading tables takes of options. */
export function readOptionsOf({ signal }: ReadOptions): ReadOptions {
  return signal ? { signal } : {};
}
