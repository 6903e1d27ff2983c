import { audit, AUDIT_SHAPE, type AuditOptions } from "../audit/audit.ts";
import type { Finding } from "../audit/finding.ts";
import type { AddressLike } from "../core/address.ts";
import { NoTablesError } from "../translate/no_tables.ts";
import { checkOptions, type OptionCheck, SIGNAL } from "../core/options.ts";
import { withPhysicalBits } from "../translate/regime.ts";
import { MonitorMemory } from "../memory/monitor_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type AddressRange, parseRange } from "../translate/address_range.ts";
import {
  aliases,
  ALIASES_SHAPE,
  type AliasesOptions,
  type AliasRecord,
} from "../translate/aliases.ts";
import {
  type MappingRecord,
  mappings,
  MAPPINGS_SHAPE,
  type MappingsOptions,
} from "../translate/mappings.ts";
import { findViews } from "../translate/views.ts";
import { withUserView } from "../translate/regime.ts";
import type { TableViews } from "../translate/views_rule.ts";
import { completeExpectation, type Expectation, USER_CLEARED } from "../verify/expectation.ts";
import { VERIFY_RANGE_SHAPE, verifyRange, type VerifyRangeOptions } from "../verify/range.ts";
import type { RangeVerdict } from "../verify/range_verdict.ts";
import {
  type Snapshot,
  snapshot,
  SNAPSHOT_SHAPE,
  type SnapshotOptions,
} from "../snapshot/snapshot.ts";
import {
  CHOICE_INSTEAD,
  CHOICE_SHAPE,
  type PageTable,
  splitTableChoice,
  type TableChoice,
  type TableSource,
} from "./table_choice.ts";

/** What a range's tables are found with, and read from: a session. */
export interface GuestTablesSource {
  /** What the session is connected to, as a user would type it. */
  readonly endpoint: string;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** Learns MAXPHYADDR; null if nobody tells it. */
  physicalAddressBits(): Promise<number | null>;
  /** The same without asking the guest's kernel. */
  machinePhysicalBits(): Promise<number | null>;
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
  const [choice, rangeOptions] = split(options, "the options of a check", VERIFY_RANGE_SHAPE);
  parseRange(range);
  completeExpectation(expectation);
  const { context, source, kpti } = await guestTables(session, choice, range.start);
  const verdict = await verifyRange(session.memory, context, range, expectation, {
    ...rangeOptions,
    learnPhysicalBits: () => session.physicalAddressBits(),
  });
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
  const [choice, list] = split(options, "the options of a listing", MAPPINGS_SHAPE);
  parseRange(range);
  const { context } = await listedTables(session, choice, range.start);
  yield* mappings(session.memory, context, range, list);
}

/** Searches the tables that the options choose; see {@linkcode aliases}. */
export async function* guestAliases(
  session: GuestTablesSource,
  physicalAddress: AddressLike,
  options: GuestAliasesOptions,
): AsyncGenerator<AliasRecord> {
  const [choice, search] = split(options, "the options of a search", ALIASES_SHAPE);
  const { context } = await listedTables(session, choice, options.range?.start);
  yield* aliases(session.memory, context, physicalAddress, search);
}

/** Which tables to audit, and how. */
export interface GuestAuditOptions extends TableChoice, AuditOptions {}

/** Audits the tables that the options choose; see {@linkcode audit}. */
export async function* guestAudit(
  session: GuestTablesSource,
  options: GuestAuditOptions,
): AsyncGenerator<Finding> {
  const [choice, audited] = split(options, "the options of an audit", AUDIT_SHAPE);
  const { context } = await listedTables(session, choice, options.range?.start);
  const { memory } = session;
  const ranges = options.ranges ?? (memory instanceof MonitorMemory ? await memory.ranges() : null);
  yield* audit({ memory, context }, {
    ...audited,
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
  const [choice, taken] = split(options, "the options of a snapshot", SNAPSHOT_SHAPE);
  const { context } = await listedTables(session, choice, options.range?.start);
  const source = options.source ?? session.endpoint;
  return await snapshot(session.memory, context, {
    ...taken,
    source,
  });
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
  checkOptions(
    options,
    "the choice of a table",
    { ...CHOICE_SHAPE, signal: SIGNAL },
    CHOICE_INSTEAD,
  );
  const { signal, ...choice } = options;
  const readOptions = signal ? { signal } : {};
  const table = await session.pageTable(choice, address, readOptions);
  if (table.context.noTables !== undefined) return table;
  const kpti = await findViews(session.memory, table.context, readOptions);
  return { ...table, context: withUserView(table.context, kpti), ...kpti && { kpti } };
}

/** The tables for a listing: a listing shows whatever is mapped, so MAXPHYADDR is learned beforehand. */
async function listedTables(
  session: GuestTablesSource,
  options: TableChoice & ReadOptions,
  address?: AddressLike,
): Promise<GuestTables> {
  const tables = await guestTables(session, options, address);
  if (tables.context.noTables !== undefined) throw new NoTablesError(tables.context.noTables);
  if (tables.context.assuredFrameBits === undefined) return tables;
  return {
    ...tables,
    context: withPhysicalBits(tables.context, await session.machinePhysicalBits()),
  };
}

/** Checks options and takes the choice of a table out of them, with the signal. */
function split<T extends TableChoice & ReadOptions>(
  options: T,
  what: string,
  shape: Readonly<Record<string, OptionCheck>>,
): [choice: TableChoice & ReadOptions, others: Omit<T, keyof TableChoice>] {
  checkOptions<object>(options, what, { ...CHOICE_SHAPE, ...shape }, CHOICE_INSTEAD);
  const [choice, others] = splitTableChoice(options);
  const { signal } = options;
  return [signal ? { ...choice, signal } : choice, others];
}
