import type { Finding } from "../audit/finding.ts";
import type { AddressLike } from "../core/address.ts";
import { NoTablesError } from "../translate/no_tables.ts";
import type {
  PagingContext,
  PagingContextOptions,
  PagingModeName,
} from "../arch/x86/paging_context.ts";
import type { CpuRegisters } from "../arch/x86/registers.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { Monitor } from "../monitor/monitor.ts";
import type { Access, AccessVerdict } from "../arch/x86/access.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { AddressSpace } from "../translate/address_space.ts";
import type { AliasRecord } from "../translate/aliases.ts";
import type { MappingRecord } from "../translate/mappings.ts";
import type { Walk, WalkOptions } from "../translate/walk.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { completeExpectation, type Expectation } from "../verify/expectation.ts";
import { judge, type Verdict } from "../verify/verdict.ts";
import type { Freezer } from "./freeze.ts";
import type { GuestIommu } from "./guest_iommu.ts";
import { type GuestSource, NoMonitorError } from "../connectors/guest_source.ts";
import {
  type GuestWalk,
  type GuestWalkOptions,
  splitWalkOptions,
  walkGuest,
} from "./guest_walk.ts";
import { LinuxAttachment } from "./linux_attachment.ts";
import type {
  GuestAliasesOptions,
  GuestAuditOptions,
  GuestMappingsOptions,
  GuestRangeOptions,
  GuestRangeVerdict,
  GuestSnapshotOptions,
  GuestTables,
} from "./ranges.ts";
import type { PhysicalBits } from "./physical_bits.ts";
import type { PageTable, TableChoice } from "./table_choice.ts";
import { TableFinder } from "./table_finder.ts";
import type { WatchEvent, WatchOptions } from "./watch.ts";

/** A verdict that knows whose tables it judged. */
export type GuestVerdict = Verdict & {
  /** What the tables say, and whose they are. */
  readonly walk: GuestWalk;
};

/** What a {@linkcode Session} is made of. */
export interface SessionParts {
  /** A folder to keep what was learnt about kernels in. @default nothing is kept */
  readonly kernelCacheDir?: string;
  /** The open connection to the guest; the session closes it. */
  readonly source: GuestSource;
  /** What the registers do not tell of the guest's paging. */
  readonly paging?: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: PagingModeName;
  /** Whether the one register that points to an IOMMU's tables may be read. @default {true} */
  readonly mmio?: boolean;
}

/**
 * A connection to one guest: its registers, its memory and its page tables. {@linkcode connect} makes
 * one; closing it leaves the guest as it was.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals((await guest.registers()).cpu, 0);
 * assertEquals(await guest.translate(0x7f2000003000n), null);
 * ```
 */
export class Session implements AsyncDisposable {
  /** The guest's physical memory; only RAM and ROM are read. */
  readonly memory: PhysicalMemory;
  readonly #source: GuestSource;
  readonly #tables: TableFinder;
  readonly #linux: LinuxAttachment;
  readonly #named: number | undefined;
  readonly #mmio: boolean;
  #freezer: Freezer | null = null;
  #bits: Promise<PhysicalBits> | null = null;

  /** Assembles a session from its parts; {@linkcode connect} is the usual way to one. */
  constructor(parts: SessionParts) {
    const { source, kernelCacheDir, mode, paging = {} } = parts;
    const { memory, cpus } = source;
    this.memory = memory;
    this.#source = source;
    this.#named = paging.physicalAddressBits;
    this.#mmio = parts.mmio ?? true;
    this.#tables = new TableFinder({
      cpus,
      memory,
      paging,
      ...mode !== undefined && { mode },
      linux: () => this.linux(),
    });
    this.#linux = new LinuxAttachment({
      memory,
      vcpus: this.#tables.vcpus,
      ...kernelCacheDir !== undefined && { kernelCacheDir },
    });
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

  /** Reads the registers of one vCPU: the monitor's current one, or the one named. */
  registers(cpu?: number): Promise<CpuRegisters> {
    return this.#source.cpus.registers(cpu);
  }

  /** Reads the registers of every vCPU, in order. */
  allRegisters(): Promise<CpuRegisters[]> {
    return this.#source.cpus.allRegisters();
  }

  /**
   * The Linux that the guest runs: its processes, their memory, its symbols and its log, read from
   * guest memory. Found once, and again after the guest has rebooted.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux, or not yet
   * @throws {KernelFormatError} if its kernel cannot be read
   * @throws {CapabilityError} if its kernel was built without what is needed
   */
  linux(): Promise<LinuxGuest> {
    return this.#linux.linux();
  }

  /**
   * The guest's IOMMUs: what becomes of which device's DMA. What they are is read anew each time.
   */
  async iommu(): Promise<GuestIommu> {
    const { GuestIommu } = await import("./guest_iommu.ts");
    const { memory, monitor } = this.#source;
    const linux = () => this.linux();
    return new GuestIommu({ memory, ...monitor && { monitor }, mmio: this.#mmio, linux });
  }

  /**
   * Walks the tables that translate a device's DMA, for an address that the device uses (an IOVA).
   *
   * @param device bus, device and function, such as `00:03.0`
   * @throws {InvalidArgumentError} if the device or the address cannot be used
   * @throws {NoIommuError} if the guest has no IOMMU
   * @throws {DeviceNotTranslatedError} if the device's DMA is passed through or blocked
   */
  async iova(device: string, address: AddressLike, options: WalkOptions = {}): Promise<Walk> {
    const { walk } = await import("../translate/walk.ts");
    const regime = await (await this.iommu()).regimeOf(device, readOptionsOf(options));
    return await walk(this.memory, regime, address, options);
  }

  /**
   * Finds the page table that a choice means. `sampleMs` needs the address it samples for.
   *
   * @throws {InvalidArgumentError} if the choice names two tables
   * @throws {NoSuchCpuError} if the guest has no such vCPU
   * @throws {NoSuchProcessError} if the guest has no such process
   * @throws {AmbiguousProcessError} if several processes have that name
   * @throws {LinuxNotFoundError} if a process was named, but the guest runs no Linux
   */
  pageTable(
    choice: TableChoice = {},
    address?: AddressLike,
    options: ReadOptions = {},
  ): Promise<PageTable> {
    return this.#tables.find(choice, address, options);
  }

  /**
   * The chosen tables as an address space, to walk and read through many times. `sampleMs` needs the
   * address it samples for.
   *
   * @throws {NoTablesError} if the vCPU does not translate by the guest's tables
   */
  async addressSpace(
    choice: TableChoice = {},
    address?: AddressLike,
  ): Promise<AddressSpace<PagingContext>> {
    const { context } = await this.pageTable(choice, address);
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
    return await this.#walk(table, address, walkOptions);
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
   * Watches an address: yields what it maps to, and again whenever an entry on the way changes. The
   * table is chosen once, at the start, and the guest is not paused.
   *
   * @throws {InvalidArgumentError} if the address or the choice cannot be used
   * @throws {NoTablesError} if the vCPU does not translate by the guest's tables
   * @throws {MonitorError} if the guest cannot be asked
   */
  async *watch(
    address: AddressLike,
    options: TableChoice & WatchOptions = {},
  ): AsyncGenerator<WatchEvent<GuestWalk>, void> {
    const { splitWatchOptions, watchWalks } = await import("./watch.ts");
    const [choice, watchOptions] = splitWatchOptions(options);
    const table = await this.pageTable(choice, address, readOptionsOf(options));
    requireTables(table.context);
    yield* watchWalks(() => this.#walk(table, address), watchOptions);
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

  /**
   * Judges every page of a range; without an expectation, whether `_PAGE_USER` is clear in each page's
   * own entry. Pages whose tables the guest changed meanwhile are inconclusive.
   *
   * @throws {InvalidArgumentError} if the range, the expectation or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async verifyRange(
    start: AddressLike,
    lengthBytes: number,
    expectation?: Expectation,
    options: GuestRangeOptions = {},
  ): Promise<GuestRangeVerdict> {
    const { verifyGuestRange } = await import("./ranges.ts");
    return await verifyGuestRange(this, { start, lengthBytes }, expectation, options);
  }

  /**
   * Lists what the chosen tables map, as runs of like pages in address order; without a range, all.
   *
   * @throws {InvalidArgumentError} if the range or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async *mappings(
    range: AddressRange = {},
    options: GuestMappingsOptions = {},
  ): AsyncGenerator<MappingRecord> {
    const { guestMappings } = await import("./ranges.ts");
    yield* guestMappings(this, range, options);
  }

  /**
   * Finds every linear address of the chosen tables that reaches a guest-physical one.
   *
   * @throws {InvalidArgumentError} if the address or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async *aliases(
    physicalAddress: AddressLike,
    options: GuestAliasesOptions = {},
  ): AsyncGenerator<AliasRecord> {
    const { guestAliases } = await import("./ranges.ts");
    yield* guestAliases(this, physicalAddress, options);
  }

  /**
   * Says what comes of an access to an address: whether it goes through, and with which error code it
   * faults. SMAP is taken to be on guard: `alignmentCheck` lifts it.
   *
   * @throws {InvalidArgumentError} if the address, the access or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async access(
    address: AddressLike,
    wanted: Access = {},
    options: GuestWalkOptions = {},
  ): Promise<AccessVerdict> {
    const { access, checkAccess } = await import("../arch/x86/access.ts");
    checkAccess(wanted);
    const [choice, walkOptions] = splitWalkOptions(options);
    const table = await this.pageTable(choice, address, readOptionsOf(walkOptions));
    const found = await this.#walk(table, address, walkOptions);
    return access(found, table.context, wanted);
  }

  /**
   * Takes a snapshot of the chosen tables. A running guest may change them meanwhile; `frozen` stops it.
   *
   * @throws {InvalidArgumentError} if the range or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async snapshot(options: GuestSnapshotOptions = {}): Promise<Snapshot> {
    const { guestSnapshot } = await import("./ranges.ts");
    return await guestSnapshot(this, options);
  }

  /**
   * Looks for what is wrong in the chosen tables, and where RAM is not; see {@linkcode audit}.
   *
   * @throws {InvalidArgumentError} if the range or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async *audit(options: GuestAuditOptions = {}): AsyncGenerator<Finding> {
    const { guestAudit } = await import("./ranges.ts");
    yield* guestAudit(this, options);
  }

  /** The same without asking the guest's kernel: two commands at most, for listings. */
  async machinePhysicalBits(): Promise<number | null> {
    return await (await this.#physicalBits()).ofMachine();
  }

  /** Finds the tables that a choice means, and whether KPTI gives them a partner. */
  async tables(
    choice: TableChoice & ReadOptions = {},
    address?: AddressLike,
  ): Promise<GuestTables> {
    const { guestTables } = await import("./ranges.ts");
    return await guestTables(this, choice, address);
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

  #walk(table: PageTable, address: AddressLike, options: WalkOptions = {}): Promise<GuestWalk> {
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

function requireTables({ noTables }: PagingContext): void {
  if (noTables !== undefined) throw new NoTablesError(noTables);
}

/** With paging off, linear addresses can still be read: they are physical ones. */
function requireTablesOrIdentity(context: PagingContext): void {
  if (context.mode !== "none" || context.noTables?.kind === "smm") requireTables(context);
}

function readOptionsOf({ signal }: ReadOptions): ReadOptions {
  return signal ? { signal } : {};
}
