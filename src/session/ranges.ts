import { audit, type AuditOptions } from "../audit/audit.ts";
import type { Finding } from "../audit/finding.ts";
import type { AddressLike } from "../core/address.ts";
import { MonitorMemory } from "../memory/monitor_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { aliases, type AliasesOptions, type AliasRecord } from "../translate/aliases.ts";
import { type MappingRecord, mappings, type MappingsOptions } from "../translate/mappings.ts";
import { findViews, type TableViews, withUserView } from "../translate/views.ts";
import { type Expectation, USER_CLEARED } from "../verify/expectation.ts";
import { verifyRange, type VerifyRangeOptions } from "../verify/range.ts";
import type { RangeVerdict } from "../verify/range_verdict.ts";
import { type Snapshot, snapshot, type SnapshotOptions } from "../snapshot/snapshot.ts";
import type { PageTable, TableChoice, TableSource } from "./table_choice.ts";

/** What a range's tables are found with, and read from: a session. */
export interface GuestTablesSource {
  /** What the session is connected to, as a user would type it. */
  readonly endpoint: string;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** Finds the page table that a choice means. */
  pageTable(choice: TableChoice, address?: AddressLike, options?: ReadOptions): Promise<PageTable>;
}

/** A judgement of a range that knows whose tables it judged. */
export type GuestRangeVerdict = RangeVerdict & {
  /** Where the root came from. */
  readonly source: TableSource;
  /** Under KPTI, the pair of roots; whether user code may execute is then the user root's word. */
  readonly kpti?: TableViews;
};

/** Which tables to judge a range by, and how. */
export interface GuestRangeOptions extends TableChoice, VerifyRangeOptions {}

/** Judges every page of a range by the tables that the options choose. */
export async function verifyGuestRange(
  session: GuestTablesSource,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: GuestRangeOptions,
): Promise<GuestRangeVerdict> {
  const { context, source, kpti } = await guestTables(session, options, range.start);
  const verdict = await verifyRange(
    session.memory,
    context,
    range,
    expectation,
    options,
  );
  return { ...verdict, source, ...kpti && { kpti } };
}

/** Which tables to list, and how. */
export interface GuestMappingsOptions extends TableChoice, MappingsOptions {}

/** Which tables to search, and how. */
export interface GuestAliasesOptions extends TableChoice, AliasesOptions {}

/** Lists the tables that the options choose; see {@linkcode mappings}. */
export async function* guestMappings(
  session: GuestTablesSource,
  range: AddressRange,
  options: GuestMappingsOptions,
): AsyncGenerator<MappingRecord> {
  const { context } = await guestTables(session, options, range.start);
  yield* mappings(session.memory, context, range, options);
}

/** Searches the tables that the options choose; see {@linkcode aliases}. */
export async function* guestAliases(
  session: GuestTablesSource,
  physicalAddress: AddressLike,
  options: GuestAliasesOptions,
): AsyncGenerator<AliasRecord> {
  const { context } = await guestTables(session, options, options.range?.start);
  yield* aliases(session.memory, context, physicalAddress, options);
}

/** Which tables to audit, and how. */
export interface GuestAuditOptions extends TableChoice, AuditOptions {}

/** Audits the tables that the options choose; see {@linkcode audit}. */
export async function* guestAudit(
  session: GuestTablesSource,
  options: GuestAuditOptions,
): AsyncGenerator<Finding> {
  const { context } = await guestTables(session, options, options.range?.start);
  const { memory } = session;
  const ranges = options.ranges ?? (memory instanceof MonitorMemory ? await memory.ranges() : null);
  yield* audit({ memory, context }, {
    ...options,
    ...ranges && { ranges },
  });
}

/** Which tables to take a snapshot of, and how. */
export interface GuestSnapshotOptions extends TableChoice, SnapshotOptions {}

/** Takes a snapshot of the tables that the options choose; see {@linkcode snapshot}. */
export async function guestSnapshot(
  session: GuestTablesSource,
  options: GuestSnapshotOptions,
): Promise<Snapshot> {
  const { context } = await guestTables(session, options, options.range?.start);
  const source = options.source ?? session.endpoint;
  return await snapshot(session.memory, context, { ...options, source });
}

/** A page table of the guest, with its KPTI pair. */
export interface GuestTables extends PageTable {
  /** Under KPTI, the pair of roots. */
  readonly kpti?: TableViews;
}

/** Finds the tables that a choice means, and whether KPTI gives them a partner. */
export async function guestTables(
  session: GuestTablesSource,
  options: TableChoice & ReadOptions,
  address?: AddressLike,
): Promise<GuestTables> {
  const walkOptions = options.signal ? { signal: options.signal } : {};
  const table = await session.pageTable(options, address, walkOptions);
  const kpti = await findViews(session.memory, table.context, walkOptions);
  return { ...table, context: withUserView(table.context, kpti), ...kpti && { kpti } };
}
