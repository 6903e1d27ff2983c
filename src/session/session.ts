import type { Finding } from "../audit/finding.ts";
import type { AddressLike } from "../core/address.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import type { GuestAccess, GuestAccessVerdict } from "../arch/access_rule.ts";
import type { Access, AccessVerdict } from "../arch/default_types.ts";
import type { GuestRegisters } from "../arch/registers.ts";
import type { RiscvAccess, RiscvAccessVerdict } from "../arch/riscv/access.ts";
import type { DmaAccess, DmaVerdict } from "../iommu/access.ts";
import type { AddressRange } from "../translate/address_range.ts";
import type { AliasRecord } from "../translate/aliases.ts";
import type { MappingRecord } from "../translate/mappings.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { type Expectation } from "../verify/expectation.ts";
import { type GuestWalk, type GuestWalkOptions, splitWalkOptions } from "./guest_walk.ts";
import type {
  GuestAliasesOptions,
  GuestAuditOptions,
  GuestMappingsOptions,
  GuestRangeOptions,
  GuestRangeVerdict,
  GuestSnapshotOptions,
  GuestTables,
} from "./ranges.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { LinuxKnowledge } from "./linux_attachment.ts";
import type { AliasAllRecord, AliasesAllOptions } from "./aliases_all.ts";
import type { FollowLogOptions } from "../linux/log.ts";
import type { LogEvent } from "./follow_log.ts";
import type { AuditAllOptions, AuditAllRecord } from "./audit_all.ts";
import type { PageTable, TableChoice } from "./table_choice.ts";
import type { WatchEvent, WatchOptions } from "./watch.ts";
import type { GuestSource } from "../connectors/connector.ts";
import type { Walk, WalkOptions } from "../translate/walk.ts";
import type { DmaAuditOptions } from "./dma_audit_source.ts";
import type { GuestIommu } from "./guest_iommu.ts";
import { GuestSession, readOptionsOf, requireTables, type SessionInit } from "./guest_session.ts";

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
export class Session extends GuestSession {
  readonly #source: GuestSource;
  readonly #mmio: boolean;

  /** Assembles a session from its parts; {@linkcode connect} is the usual way to one. */
  constructor(parts: SessionInit) {
    super(parts);
    this.#source = parts.source;
    this.#mmio = parts.mmio ?? true;
  }

  /**
   * The Linux that the guest runs: its processes, their memory, its symbols and its log, read from
   * guest memory. Found once, and again after the guest has rebooted.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux, or not yet
   * @throws {KernelFormatError} if its kernel cannot be read
   * @throws {CapabilityError} if its kernel was built without what is needed
   */
  override linux(): Promise<LinuxGuest> {
    return super.linux() as Promise<LinuxGuest>;
  }

  /** All that is known of a Linux guest. */
  protected override async linuxKnowledge(): Promise<LinuxKnowledge> {
    return (await import("../linux/linux_guest.ts")).LinuxGuest;
  }

  /**
   * The guest's IOMMUs, and whether each device's DMA is translated. They are read again each time.
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
    const { context } = await this.deviceTable(device, readOptionsOf(options));
    return await walk(this.memory, context, address, options);
  }

  /** Finds the tables that translate a device's DMA. */
  protected override async deviceTable(device: string, options: ReadOptions): Promise<PageTable> {
    return await (await this.iommu()).tableOf(device, options);
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
    const { splitWatchOptions, unlessAborted, watchWalks } = await import("./watch.ts");
    const [choice, watchOptions] = splitWatchOptions(options);
    const { signal } = watchOptions;
    const find = () => this.pageTable(choice, address, readOptionsOf(options));
    const table = await unlessAborted(find, signal);
    if (table === null) return;
    requireTables(table.context);
    yield* watchWalks(() => this.walkTable(table, address), watchOptions);
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
   * Says what comes of an access of the device whose tables the options choose: whether it reaches memory, or
   * is blocked.
   *
   * @throws {InvalidArgumentError} if the address, the access or the device cannot be used
   * @throws {DeviceNotTranslatedError} if the device's DMA is passed through or blocked
   */
  access(
    address: AddressLike,
    wanted: DmaAccess | undefined,
    options: GuestWalkOptions & { readonly device: string },
  ): Promise<DmaVerdict>;
  /**
   * Says what comes of an access to an address: whether it goes through, and with which error code it
   * faults. EFLAGS.AC=0 is assumed under SMAP: `alignmentCheck` sets it.
   *
   * @throws {InvalidArgumentError} if the address, the access or the choice cannot be used
   * @throws {MonitorError} if the guest cannot be asked
   */
  access(
    address: AddressLike,
    wanted?: Access,
    options?: GuestWalkOptions,
  ): Promise<AccessVerdict>;
  /** The same for an access of a RISC-V guest; SUM, MXR and ADUE are those of the vCPU at hand. */
  access(
    address: AddressLike,
    wanted: RiscvAccess,
    options?: GuestWalkOptions,
  ): Promise<RiscvAccessVerdict>;
  async access(
    address: AddressLike,
    wanted: GuestAccess | DmaAccess = {},
    options: GuestWalkOptions = {},
  ): Promise<GuestAccessVerdict | DmaVerdict> {
    const [choice, walkOptions] = splitWalkOptions(options);
    if (choice.device !== undefined || choice.table?.source.kind === "device") {
      const { dmaAccess } = await import("../iommu/access.ts");
      return dmaAccess(await this.walk(address, options), wanted as DmaAccess);
    }
    const { architectureNamed, checkAnyAccess } = await import("../arch/architectures.ts");
    checkAnyAccess(wanted);
    const table = await this.pageTable(choice, address, readOptionsOf(walkOptions));
    const { context, source } = table;
    const rule = architectureNamed(context.rules.architecture).access;
    rule.check(wanted);
    const found = await this.walkTable(table, address, walkOptions);
    const registers = rule.usesRegisters && source.kind === "cpu"
      ? await this.registers<GuestRegisters>(source.cpu)
      : undefined;
    return rule.decide(found, context, wanted, registers);
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

  /**
   * Looks for what devices reach and should not: kernel text, code and page tables that they can write, memory
   * of processes that are gone, DMA that is passed through, frames of two domains.
   *
   * @throws {NoIommuError} if the guest has no IOMMU
   * @throws {MonitorError} if the guest cannot be asked
   */
  async *auditDma(options: DmaAuditOptions = {}): AsyncGenerator<Finding> {
    const { auditGuestDma } = await import("./dma_audit.ts");
    yield* auditGuestDma(this, options);
  }

  /**
   * Audits all processes of a Linux guest: the kernel's tables once, then what each process has besides;
   * in the end what all of them map together. What came of each process is said.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux
   * @throws {InconsistentListError} if the list of processes changes faster than it can be read
   */
  async *auditAll(options: AuditAllOptions = {}): AsyncGenerator<AuditAllRecord> {
    const { auditAllProcesses } = await import("./audit_all.ts");
    yield* auditAllProcesses(this, options);
  }

  /**
   * Finds which processes of a Linux guest map a guest-physical address, and where the kernel does.
   *
   * @throws {InvalidArgumentError} if the address is none
   * @throws {LinuxNotFoundError} if the guest runs no Linux
   * @throws {InconsistentListError} if the list of processes changes faster than it can be read
   */
  async *aliasesInAll(
    physicalAddress: AddressLike,
    options: AliasesAllOptions = {},
  ): AsyncGenerator<AliasAllRecord> {
    const { aliasesOfAll } = await import("./aliases_all.ts");
    yield* aliasesOfAll(this, physicalAddress, options);
  }

  /**
   * Follows the log of a Linux guest's kernel. After a reset or kexec it says that the kernel is gone, waits
   * for the next one, and goes on with that one's log.
   *
   * @throws {LinuxNotFoundError} if the guest runs no Linux at the start
   * @throws {CapabilityError} if the kernel is older than 5.10
   * @throws the signal's reason
   */
  async *followLog(options: FollowLogOptions = {}): AsyncGenerator<LogEvent> {
    const { followLog } = await import("./follow_log.ts");
    yield* followLog(this, options);
  }

  /** Finds the tables that a choice means, and whether KPTI gives them a partner. */
  async tables(
    choice: TableChoice & ReadOptions = {},
    address?: AddressLike,
  ): Promise<GuestTables> {
    const { guestTables } = await import("./ranges.ts");
    return await guestTables(this, choice, address);
  }
}
