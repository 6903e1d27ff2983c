import type { Finding } from "../audit/finding.ts";
import type { AddressLike } from "../core/address.ts";
import {
  type PagingContext,
  pagingContext,
  type PagingContextOptions,
  type PagingModeName,
  withRoot,
} from "../cpu/paging_context.ts";
import { assumedRegisters } from "../cpu/assumed_registers.ts";
import type { CpuRegisters } from "../cpu/registers.ts";
import { findKptiPair, type KptiPair } from "../linux/kpti_pair.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { type Access, access, type AccessVerdict } from "../paging/access.ts";
import type { AddressRange } from "../paging/address_range.ts";
import { AddressSpace } from "../paging/address_space.ts";
import type { AliasRecord } from "../paging/aliases.ts";
import type { MappingRecord } from "../paging/mappings.ts";
import { type Walk, walk, type WalkOptions } from "../paging/walk.ts";
import { type Snapshot, snapshot, type SnapshotOptions } from "../snapshot/snapshot.ts";
import type { Expectation } from "../verify/expectation.ts";
import type { RangeVerdict, VerifyRangeOptions } from "../verify/range.ts";
import { judge, type Verdict } from "../verify/verdict.ts";
import {
  guestAliases,
  type GuestAliasesOptions,
  guestAudit,
  type GuestAuditOptions,
  guestMappings,
  type GuestMappingsOptions,
  type GuestTables,
  guestTables,
  verifyGuestRange,
} from "./ranges.ts";
import { Freezer } from "./freeze.ts";
import { type GuestSource, NoMonitorError } from "./guest_source.ts";
import { sampleTables } from "./sample.ts";
import {
  checkTableChoice,
  type PageTable,
  splitTableChoice,
  type TableChoice,
  type TableSource,
} from "./table_choice.ts";
import { type WatchEvent, type WatchOptions, watchWalks } from "./watch.ts";

/** A walk that knows whose tables it read. */
export type GuestWalk = Walk & {
  /** Where the root came from. */
  readonly source: TableSource;
  /** Under KPTI, the pair of roots; whether user code may execute is then the user root's word. */
  readonly kpti?: KptiPair;
};

/** A verdict that knows whose tables it judged. */
export type GuestVerdict = Verdict & {
  /** What the tables say, and whose they are. */
  readonly walk: GuestWalk;
};

/** A judgement of a range that knows whose tables it judged. */
export type GuestRangeVerdict = RangeVerdict & {
  /** Where the root came from. */
  readonly source: TableSource;
  /** Under KPTI, the pair of roots; whether user code may execute is then the user root's word. */
  readonly kpti?: KptiPair;
};

/** Which tables to judge a range by, and how. */
export interface GuestRangeOptions extends TableChoice, Omit<VerifyRangeOptions, "userRoot"> {}

/** Which tables to walk, and how. */
export interface GuestWalkOptions extends TableChoice, WalkOptions {}

/** What a {@linkcode Session} is made of. */
export interface SessionParts {
  /** A folder to keep what was learnt about kernels in. @default nothing is kept */
  readonly kernelCacheDir?: string;
  /** The open door to the guest; the session closes it. */
  readonly source: GuestSource;
  /** What the registers do not tell of the guest's paging. */
  readonly paging?: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: PagingModeName;
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
  readonly #paging: Omit<PagingContextOptions, "root">;
  readonly #mode: PagingModeName | undefined;
  readonly #freezer: Freezer;
  readonly #kernelCacheDir: string | undefined;
  #linux: Promise<LinuxGuest> | null = null;

  /** Assembles a session from its parts; {@linkcode connect} is the usual way to one. */
  constructor(parts: SessionParts) {
    this.memory = parts.source.memory;
    this.#source = parts.source;
    this.#paging = parts.paging ?? {};
    this.#mode = parts.mode;
    this.#freezer = new Freezer(parts.source);
    this.#kernelCacheDir = parts.kernelCacheDir;
  }

  /** What the session is connected to, as a user would type it. */
  get endpoint(): string {
    return this.#source.endpoint;
  }

  /** QEMU's version, such as `7.2.22`; empty if the door to the guest does not tell. */
  get qemuVersion(): string {
    return this.#source.qemuVersion;
  }

  /** What a user should know of this door to the guest, such as that it pauses it; or null. */
  get notice(): string | null {
    return this.#source.notice ?? null;
  }

  /**
   * The monitor that the guest is asked through.
   *
   * @throws {NoMonitorError} if the door to the guest has none: a dump
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
  async linux(): Promise<LinuxGuest> {
    const before = this.#linux;
    if (before) {
      const known = await before.catch(() => null);
      if (known && await known.isCurrent()) return known;
      // Another caller may have attached meanwhile.
      if (this.#linux !== before) return await this.#linux!;
    }
    return await (this.#linux = this.#attachLinux());
  }

  async #attachLinux(): Promise<LinuxGuest> {
    // Loaded only here, so that a check of one address does not pay for it.
    const { LinuxGuest } = await import("../linux/linux_guest.ts");
    const registers = await this.allRegisters();
    const contexts = registers.map((each) => this.#context(each));
    const parts = { memory: this.memory, contexts };
    if (this.#kernelCacheDir === undefined) return await LinuxGuest.attach(parts);
    const { DirectoryKernelCache } = await import("../linux/kernel_cache.ts");
    const cache = new DirectoryKernelCache(this.#kernelCacheDir);
    return await LinuxGuest.attach({ ...parts, cache });
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
  async pageTable(
    choice: TableChoice = {},
    address?: AddressLike,
    options: WalkOptions = {},
  ): Promise<PageTable> {
    checkTableChoice(choice);
    const { cpu, root, sampleMs } = choice;
    const wanted = choice.pid ?? choice.comm;
    if (wanted !== undefined) {
      const linux = await this.linux();
      const { signal } = options;
      const process = await linux.process(wanted, signal ? { signal } : {});
      const { pid, comm } = process;
      return { context: linux.contextOf(process), source: { kind: "process", pid, comm } };
    }
    if (sampleMs !== undefined && address !== undefined) {
      return await sampleTables(
        {
          contexts: async () => {
            const all = await this.allRegisters();
            return all.map((registers) => ({
              cpu: registers.cpu,
              context: this.#context(registers),
            }));
          },
          walk: (context) => walk(this.memory, context, address, { ...options, recheck: false }),
        },
        sampleMs,
        options.signal,
      );
    }
    if (root !== undefined && this.#mode !== undefined) {
      const context = pagingContext(assumedRegisters(this.#mode), this.#paging);
      return { context: withRoot(context, root), source: { kind: "root" } };
    }
    const registers = await this.registers(cpu);
    if (root === undefined) {
      return { context: this.#context(registers), source: { kind: "cpu", cpu: registers.cpu } };
    }
    return { context: withRoot(this.#context(registers), root), source: { kind: "root" } };
  }

  /** The chosen tables as an address space, to walk and read through many times. */
  async addressSpace(choice: TableChoice = {}): Promise<AddressSpace> {
    return new AddressSpace(this.memory, (await this.pageTable(choice)).context);
  }

  /**
   * Walks the chosen tables for an address; without a choice, the current vCPU's.
   *
   * @throws {InvalidArgumentError} if the address or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async walk(address: AddressLike, options: GuestWalkOptions = {}): Promise<GuestWalk> {
    const [choice, walkOptions] = splitTableChoice(options);
    const { context, source } = await this.pageTable(choice, address, walkOptions);
    const found = await walk(this.memory, context, address, walkOptions);
    return await this.#withKpti(found, context, source, walkOptions);
  }

  /**
   * Returns the physical address of a linear one, or null if no page is mapped there.
   *
   * @throws {PageFaultError} if the tables could not be read, so that it is not known
   */
  async translate(address: AddressLike, options: TableChoice = {}): Promise<bigint | null> {
    const { context } = await this.pageTable(options, address);
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
    const found = await this.walk(address, options);
    return { ...judge(found, expectation), walk: found };
  }

  /**
   * Watches an address: yields what it maps to, and again whenever an entry on the way changes. The
   * table is chosen once, at the start, and the guest is not paused.
   *
   * @throws {InvalidArgumentError} if the address or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async *watch(
    address: AddressLike,
    options: TableChoice & WatchOptions = {},
  ): AsyncGenerator<WatchEvent<GuestWalk>, void> {
    const { intervalMs, signal, ...choice } = options;
    const { context, source } = await this.pageTable(choice, address, signal ? { signal } : {});
    const walkNow = async () =>
      await this.#withKpti(await walk(this.memory, context, address), context, source, {});
    yield* watchWalks(walkNow, {
      ...intervalMs !== undefined && { intervalMs },
      ...signal && { signal },
    });
  }

  /**
   * Runs a block while the guest is paused, for answers that must fit together, and leaves the guest
   * as it was found: a running one runs on, a paused one stays paused, also if the block throws, the
   * connection breaks or the script is interrupted. This is the only thing that ever pauses a guest.
   *
   * @throws {GuestLeftPausedError} if the guest cannot be resumed
   * @throws whatever the block throws
   */
  frozen<T>(block: () => Promise<T>): Promise<T> {
    return this.#freezer.run(block);
  }

  /**
   * Judges every page of a range; without an expectation, whether `_PAGE_USER` is clear in each page's
   * own entry. Each table is read once, and the memory used does not grow with the range.
   *
   * @throws {InvalidArgumentError} if the range, the expectation or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  verifyRange(
    start: AddressLike,
    lengthBytes: number,
    expectation?: Expectation,
    options: GuestRangeOptions = {},
  ): Promise<GuestRangeVerdict> {
    return verifyGuestRange(this, { start, lengthBytes }, expectation, options);
  }

  /**
   * Lists what the chosen tables map, as runs of like pages in address order; without a range, all.
   *
   * @throws {InvalidArgumentError} if the range or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  mappings(
    range: AddressRange = {},
    options: GuestMappingsOptions = {},
  ): AsyncGenerator<MappingRecord> {
    return guestMappings(this, range, options);
  }

  /**
   * Finds every linear address of the chosen tables that reaches a guest-physical one.
   *
   * @throws {InvalidArgumentError} if the address or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  aliases(
    physicalAddress: AddressLike,
    options: GuestAliasesOptions = {},
  ): AsyncGenerator<AliasRecord> {
    return guestAliases(this, physicalAddress, options);
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
    const { context, source } = await this.pageTable(options, address, options);
    const found = await walk(this.memory, context, address, options);
    return access(await this.#withKpti(found, context, source, options), context, wanted);
  }

  /**
   * Takes a snapshot of the chosen tables. A running guest may change them meanwhile; `frozen` stops it.
   *
   * @throws {InvalidArgumentError} if the range or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  async snapshot(options: TableChoice & Omit<SnapshotOptions, "userRoot"> = {}): Promise<Snapshot> {
    const { context, userRoot } = await guestTables(this, options, options.range?.start);
    const source = options.source ?? this.endpoint;
    return await snapshot(this.memory, context, {
      ...options,
      source,
      ...userRoot !== undefined && { userRoot },
    });
  }

  /**
   * Looks for what is wrong in the chosen tables, and where RAM is not; see {@linkcode audit}.
   *
   * @throws {InvalidArgumentError} if the range or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  audit(options: GuestAuditOptions = {}): AsyncGenerator<Finding> {
    return guestAudit(this, options);
  }

  /** Finds the tables that a choice means, and whether KPTI gives them a partner. */
  tables(choice: TableChoice & ReadOptions = {}, address?: AddressLike): Promise<GuestTables> {
    return guestTables(this, choice, address);
  }

  /** Closes the door and leaves the guest as it was. May be called twice. */
  close(): Promise<void> {
    return this.#source.close();
  }

  /** Ends the connection. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #context(registers: CpuRegisters): PagingContext {
    return pagingContext(registers, this.#paging);
  }

  /**
   * Under KPTI the kernel's root forbids execution of all user pages, whatever user code may do: that
   * right is taken from the user's root.
   */
  async #withKpti(
    found: Walk,
    context: PagingContext,
    source: TableSource,
    options: WalkOptions,
  ): Promise<GuestWalk> {
    const pair = await findKptiPair(this.memory, context, found, options);
    if (!pair) return { ...found, source };
    if (found.outcome !== "mapped" || context.root === pair.userRoot) {
      return { ...found, source, kpti: pair };
    }
    const userContext = withRoot(context, pair.userRoot);
    const user = await walk(this.memory, userContext, found.address, {
      ...options,
      recheck: false,
    });
    if (user.outcome !== "mapped") return { ...found, source, kpti: pair };
    const { executable } = user.effective;
    return {
      ...found,
      source,
      kpti: pair,
      effective: { ...found.effective, executable },
      decidedBy: { ...found.decidedBy, executable: user.decidedBy.executable },
    };
  }
}
