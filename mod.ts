/**
 * Look into a running QEMU guest's page tables from outside, and say whether an entry is what it
 * should be. Nothing here changes the guest.
 *
 * ```text
 * endpoint ─ connector ┬ registers ─► architecture ─► regime
 *                      │                                │
 *                      └ physical memory ───────────────┴─► walk ─► verdict
 * ```
 *
 * ## Where to look
 *
 * | to | use |
 * | --- | --- |
 * | ask a guest | {@linkcode connect}: a {@linkcode Session} walks, verifies, lists, audits, watches |
 * | say what is expected, and read the answer | {@linkcode Expectation}, {@linkcode Verdict}, {@linkcode RangeVerdict} |
 * | choose whose tables | {@linkcode TableChoice}: a vCPU, a root, a process, a device |
 * | judge what VFIO mapped | {@linkcode verifyVfio} |
 * | know the guest's Linux | {@linkcode Session.linux}; the rest is in `@pagewalk/pagewalk/linux` |
 * | know what a device reaches | {@linkcode Session.iommu}; the rest is in `@pagewalk/pagewalk/devices` |
 * | compare two moments | {@linkcode Snapshot}, {@linkcode encodeSnapshot}, {@linkcode diff} |
 * | read tables without a session | {@linkcode walk}, {@linkcode mappings}, {@linkcode audit}, over {@linkcode PhysicalMemory} and a {@linkcode Regime} |
 * | make a regime of registers | {@linkcode pagingContext} (x86), {@linkcode riscvRegimeOf} |
 * | talk to a monitor | {@linkcode HmpClient}, {@linkcode QmpClient}, {@linkcode record} |
 * | add a way to a guest, or an architecture | `@pagewalk/pagewalk/extend` |
 * | tell errors apart | all are {@linkcode PagewalkError}s with fields |
 *
 * Text, JSON, CSV, HTML and SVG are made by `@pagewalk/pagewalk/report`; what scripts share is in
 * `@pagewalk/pagewalk/cli`, and simulated guests for tests are in `@pagewalk/pagewalk/testing`.
 *
 * @example Is `_PAGE_USER` clear on this page?
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:"); // or 1334, "unix:/run/monitor.sock", …
 * const { verdict, reason } = await guest.verify(0x7f1234567000n, { user: false });
 * assertEquals(verdict, "pass");
 * assertEquals(reason, "_PAGE_USER is cleared in the PTE");
 * ```
 *
 * @module
 */

// What connect() would load when asked for it: parseEndpoint() and its like know all connectors at once.
import "./src/connectors/table.ts";

// Addresses and errors
export {
  type AddressLike,
  type AddressNotation,
  addressNotation,
  formatAddress,
  parseAddress,
} from "./src/core/address.ts";
export { canonicalize, isCanonical, type LinearAddressBits } from "./src/core/canonical.ts";
export { InvalidArgumentError, PagewalkError } from "./src/core/errors.ts";
export { escapeLines, escapeMessage, escapeText } from "./src/core/escape.ts";

// Registers and the paging context
export { CR0, CR4, EFER } from "./src/arch/x86/control_bits.ts";
export {
  type ConfidentialBit,
  type PagingContext,
  pagingContext,
  type PagingContextOptions,
  pagingMode,
  type PagingModeName,
  type PagingState,
} from "./src/arch/x86/paging_context.ts";
export type { CpuSource } from "./src/arch/cpu_source.ts";
export type { CpuRegisters } from "./src/arch/x86/registers.ts";
export { type CpuState, cpuState } from "./src/arch/x86/cpu_state.ts";
export {
  describeNoTables,
  type NoTables,
  type NoTablesCause,
  NoTablesError,
} from "./src/translate/no_tables.ts";
export { describeReservedBits } from "./src/translate/reserved_bits.ts";

// Guest-physical memory
export { bufferMemory, type MemorySegment } from "./src/memory/buffer_memory.ts";
export { FileMemory, type FileMemoryOptions } from "./src/memory/file_memory.ts";
export { CachingMemory, type CachingMemoryOptions } from "./src/memory/caching_memory.ts";
export * from "./src/memory/physical_memory.ts";
export { MonitorMemory, type MonitorMemoryOptions } from "./src/memory/monitor_memory.ts";
export { RamFileError, type RamFileFailure } from "./src/memory/ram_file_memory.ts";

// Connectors
export { NoMonitorError } from "./src/connectors/connector.ts";
export type { DumpEndpoint } from "./src/connectors/dump/mod.ts";
export {
  connectors,
  formatEndpoint,
  parseEndpoint,
  permissionFor,
  permissionsFor,
} from "./src/connectors/registry.ts";
export type { GdbEndpoint } from "./src/connectors/gdbstub/endpoint.ts";
export type {
  DomainEndpoint,
  LibvirtEndpoint,
  LibvirtInstance,
  LibvirtSshEndpoint,
} from "./src/connectors/libvirt/endpoint.ts";
export type { ReplayEndpoint } from "./src/connectors/replay/mod.ts";
export type { SimEndpoint } from "./src/connectors/sim/mod.ts";

// Dumps
export { DumpFormatError, NoRegistersError } from "./src/connectors/dump/errors.ts";
export {
  parseRamLayout,
  type RamLayout,
  type RamLayoutName,
} from "./src/connectors/dump/ram_layout.ts";

// The monitor
export {
  checkCommand,
  type CheckCommandOptions,
  type CommandRule,
  READ_ONLY_COMMANDS,
  REFUSED_COMMANDS,
} from "./src/monitor/allow_list.ts";
export {
  connectHmp,
  type ConnectHmpOptions,
  connectMonitor,
} from "./src/monitor/connect_monitor.ts";
export { examineMemory, type MemoryDump } from "./src/monitor/commands/examine_memory.ts";
export { readPhysicalBits } from "./src/monitor/commands/physical_bits.ts";
export { type GuestStatus, readMemoryMap, readStatus } from "./src/monitor/commands/read_state.ts";
export { readTlb, type TlbRow } from "./src/monitor/commands/read_tlb.ts";
export { readCurrentCpu } from "./src/monitor/commands/cpus.ts";
export {
  readAllRegisters,
  readRegisters,
  type ReadRegistersOptions,
} from "./src/monitor/commands/registers.ts";
export { translateByQemu } from "./src/monitor/commands/translate_by_qemu.ts";
export {
  type Endpoint,
  monitorPortFor,
  type QmpEndpoint,
  type SocketEndpoint,
  type TcpEndpoint,
  type TelnetEndpoint,
  type UnixEndpoint,
} from "./src/monitor/endpoint.ts";
export * from "./src/monitor/errors.ts";
export { HmpClient, type HmpClientOptions } from "./src/monitor/hmp_client.ts";
export type { CommandLimits } from "./src/monitor/_command_queue.ts";
export { connectQmp, type ConnectQmpOptions } from "./src/monitor/connect_qmp.ts";
export { QmpClient, type QmpClientOptions } from "./src/monitor/qmp_client.ts";
export type { QmpEvent } from "./src/monitor/qmp_codec.ts";
export type { CommandOptions, Monitor } from "./src/monitor/monitor.ts";
export { NotRecordedError, RecordingError } from "./src/monitor/recording/errors.ts";
export type { RecordedError } from "./src/monitor/recording/recorded_error.ts";
export { record, type RecordOptions } from "./src/monitor/recording/recorder.ts";
export {
  parseRecording,
  type RecordedExchange,
  type Recording,
  type RecordingHeader,
} from "./src/monitor/recording/recording.ts";
export { ReplayMonitor } from "./src/monitor/recording/replay_monitor.ts";

// The gdbstub
export {
  connectGdb,
  GdbClient,
  type GdbClientOptions,
} from "./src/connectors/gdbstub/gdb_client.ts";

// Regimes: what a translation knows of its tables
export type { GuestAccess, GuestAccessVerdict } from "./src/arch/access_rule.ts";
export { type Regime, withRoot } from "./src/translate/regime.ts";
export type {
  EntryFlags,
  EntryKind,
  NotPresentContent,
  PageTableEntry,
  SpecialState,
  SwapMark,
} from "./src/translate/entry.ts";
export type { LeafRights, Right, Rights } from "./src/translate/rights.ts";
export type { SecondStage } from "./src/translate/second_stage_rule.ts";
export { secondStage } from "./src/translate/second_stage.ts";
export { type EptOptions, extendedPageTables, nestedPaging } from "./src/arch/x86/second_stage.ts";
export { type RiscvAccess, riscvAccess, type RiscvAccessVerdict } from "./src/arch/riscv/access.ts";
export { riscvRegimeOf, type RiscvStages, riscvStagesOf } from "./src/arch/riscv/hart_regime.ts";
export type { RiscvMode, RiscvSecondStageMode } from "./src/arch/riscv/modes.ts";
export {
  type RiscvExtensions,
  type RiscvRegime,
  riscvRegime,
  riscvSecondStage,
} from "./src/arch/riscv/regime.ts";
export type { RiscvPrivilege, RiscvRegisters } from "./src/arch/riscv/registers.ts";
export type { GuestRegisters } from "./src/arch/registers.ts";

// Page tables
export {
  type Access,
  access,
  type AccessVerdict,
  type PageFaultBit,
  type PageFaultCode,
} from "./src/arch/x86/access.ts";
export {
  AddressSpace,
  type AddressSpaceOptions,
  describeFault,
  PageFaultError,
} from "./src/translate/address_space.ts";
export type { AddressRange } from "./src/translate/address_range.ts";
export {
  type Alias,
  aliases,
  type AliasesOptions,
  type AliasRecord,
} from "./src/translate/aliases.ts";
export type { EntryFlag } from "./src/arch/x86/bit_fields.ts";
export { bits, type BitsOptions } from "./src/arch/x86/bits.ts";
export { type BitReading, type EntryBits, entryBits } from "./src/translate/entry_bits.ts";
export {
  type CacheType,
  type PageAttributeTable,
  PAT_AFTER_RESET,
  PAT_OF_LINUX,
} from "./src/arch/x86/cache_type.ts";
export { diffEntries, type FieldChange } from "./src/translate/entry_diff.ts";
export { type ListOptions, type ListProgress, listTables } from "./src/translate/listing.ts";
export type * from "./src/translate/listing_records.ts";
export {
  type FilteredPage,
  MAPPING_FILTERS,
  type MappingFilterName,
} from "./src/translate/mapping_filters.ts";
export {
  type Mapping,
  type MappingRecord,
  mappings,
  type MappingsOptions,
  type RunRights,
} from "./src/translate/mappings.ts";
export {
  type LevelName,
  PAGING_MODES,
  type PagingLevel,
  type PagingLevelFormat,
  type PagingMode,
} from "./src/arch/x86/modes.ts";
export { findKptiPair } from "./src/arch/x86/kpti_pair.ts";
export { decodeNotPresent } from "./src/arch/x86/not_present.ts";
export { describeNotPresent } from "./src/translate/describe_not_present.ts";
export { effectiveRights, leafRightsOf, RIGHTS, rightsOf } from "./src/arch/x86/rights.ts";
export {
  type MappedWalk,
  type NonCanonicalWalk,
  type NoTablesWalk,
  type NotPresentWalk,
  type ReservedBitsWalk,
  type UnreadableWalk,
  type Walk,
  walk,
  type WalkOptions,
  type WalkOutcome,
  type WalkRecord,
} from "./src/translate/walk.ts";
export { walkMany, type WalkManyOptions } from "./src/translate/walk_many.ts";

// Snapshots
export {
  diff,
  type DiffOptions,
  type EntryCame,
  type EntryChanged,
  type EntryDifference,
  type NotCompared,
} from "./src/snapshot/diff.ts";
export { SnapshotError } from "./src/snapshot/errors.ts";
export { decodeSnapshot, type DecodeSnapshotOptions, encodeSnapshot } from "./src/snapshot/file.ts";
export {
  type FailedRead,
  type MemoryPiece,
  PieceMemory,
  RecordingMemory,
} from "./src/snapshot/piece_memory.ts";
export {
  type PageTableSource,
  type Snapshot,
  snapshot,
  type SnapshotOptions,
} from "./src/snapshot/snapshot.ts";

// Audits
export { audit, type AuditOptions } from "./src/audit/audit.ts";
export type { AuditManyOptions, AuditOutcome } from "./src/audit/audit_many.ts";
export type { Evidence, Finding, FrameMapping, ProcessName } from "./src/audit/finding.ts";
export {
  AUDIT_RULES,
  type AuditRule,
  type AuditRuleName,
  SEVERITIES,
  type Severity,
} from "./src/audit/rules.ts";

// Errors of what a session loads only when it is used: Linux, kernels with an ELF file, devices
export {
  AmbiguousProcessError,
  CapabilityError,
  InconsistentListError,
  KernelFormatError,
  KernelGoneError,
  LinuxNotFoundError,
  NoSuchProcessError,
} from "./src/linux/errors.ts";
export { ElfFormatError, WrongKernelError } from "./src/elf/errors.ts";
export { DeviceNotTranslatedError, NoIommuError } from "./src/iommu/errors.ts";

// Verdicts
export { type Expectation, USER_CLEARED } from "./src/verify/expectation.ts";
export { judgeLogged, type LoggedEntry } from "./src/verify/logged_entry.ts";
export { type Tally, tally } from "./src/verify/tally.ts";
export { judgeRange, verifyRange, type VerifyRangeOptions } from "./src/verify/range.ts";
export type * from "./src/verify/range_verdict.ts";
export { judge, type Mismatch, type Verdict, type VerdictKind } from "./src/verify/verdict.ts";

// A session with a guest
export { connect } from "./src/session/connect.ts";
export type { ConnectOptions } from "./src/session/connect_parts.ts";
export {
  crosscheck,
  type CrosscheckOptions,
  type CrosscheckResult,
  type CrosscheckTables,
  crosscheckTables,
} from "./src/session/crosscheck.ts";
export { checkFleet, type FleetOptions, type FleetResult } from "./src/session/fleet.ts";
export { GuestLeftPausedError } from "./src/session/freeze.ts";
export type {
  GuestAliasesOptions,
  GuestAuditOptions,
  GuestMappingsOptions,
  GuestRangeOptions,
  GuestRangeVerdict,
  GuestSnapshotOptions,
  GuestTables,
} from "./src/session/ranges.ts";
export { AddressNamer } from "./src/session/address_namer.ts";
export type { AliasAllRecord, AliasesAllOptions } from "./src/session/aliases_all.ts";
export type { AllProgress, AuditAllOptions, AuditAllRecord } from "./src/session/audit_all.ts";
export type { GuestWalk, GuestWalkOptions } from "./src/session/guest_walk.ts";
export { GuestSession, type GuestVerdict, type SessionInit } from "./src/session/guest_session.ts";
export { Session } from "./src/session/session.ts";
export { nameAddressSpace, type NamedSpace } from "./src/session/named_space.ts";
export { whoMapsIt } from "./src/session/whose_tables.ts";
export {
  describeSource,
  type PageTable,
  type TableChoice,
  type TableSource,
} from "./src/session/table_choice.ts";
export type { EntryChange, WatchEvent, WatchOptions } from "./src/session/watch.ts";

// The VFIO check
export type * from "./src/vfio/judgement.ts";
export { type VfioCounts, type VfioSourceTally, VfioTally } from "./src/vfio/tally.ts";
export { verifyVfio, type VerifyVfioOptions, type VfioGuest } from "./src/vfio/verify_vfio.ts";

// What the names above mention: their functions and classes are in entries of their own.
export type * from "./src/entries/devices.ts";
export type * from "./src/entries/extend.ts";
export type * from "./src/entries/linux.ts";
