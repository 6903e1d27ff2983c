import { audit, type AuditOptions } from "../audit/audit.ts";
import type { Finding } from "../audit/finding.ts";
import type { AddressLike } from "../core/address.ts";
import type { PagingContext } from "../cpu/paging_context.ts";
import type { KptiPair } from "../linux/kpti_pair.ts";
import { findKptiPairOfRoot } from "../linux/kpti_root.ts";
import { MonitorMemory } from "../memory/monitor_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { AddressRange } from "../paging/address_range.ts";
import { aliases, type AliasesOptions, type AliasRecord } from "../paging/aliases.ts";
import { type MappingRecord, mappings, type MappingsOptions } from "../paging/mappings.ts";
import { type Expectation, USER_CLEARED } from "../verify/expectation.ts";
import { verifyRange } from "../verify/range.ts";
import type { GuestRangeOptions, GuestRangeVerdict, Session } from "./session.ts";
import type { PageTable, TableChoice } from "./table_choice.ts";

/** Judges every page of a range by the tables that the options choose. */
export async function verifyGuestRange(
  session: Session,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: GuestRangeOptions,
): Promise<GuestRangeVerdict> {
  const { context, source, kpti, userRoot } = await guestTables(session, options, range.start);
  const verdict = await verifyRange(
    session.memory,
    context,
    range,
    expectation,
    withUserRoot(options, userRoot),
  );
  return { ...verdict, source, ...kpti && { kpti } };
}

/** Which tables to list, and how. */
export interface GuestMappingsOptions extends TableChoice, Omit<MappingsOptions, "userRoot"> {}

/** Which tables to search, and how. */
export interface GuestAliasesOptions extends TableChoice, Omit<AliasesOptions, "userRoot"> {}

/** Lists the tables that the options choose; see {@linkcode mappings}. */
export async function* guestMappings(
  session: Session,
  range: AddressRange,
  options: GuestMappingsOptions,
): AsyncGenerator<MappingRecord> {
  const { context, userRoot } = await guestTables(session, options, range.start);
  yield* mappings(session.memory, context, range, withUserRoot(options, userRoot));
}

/** Searches the tables that the options choose; see {@linkcode aliases}. */
export async function* guestAliases(
  session: Session,
  physicalAddress: AddressLike,
  options: GuestAliasesOptions,
): AsyncGenerator<AliasRecord> {
  const { context, userRoot } = await guestTables(session, options, options.range?.start);
  yield* aliases(session.memory, context, physicalAddress, withUserRoot(options, userRoot));
}

/** Which tables to audit, and how. */
export interface GuestAuditOptions extends TableChoice, Omit<AuditOptions, "userRoot"> {}

/** Audits the tables that the options choose; see {@linkcode audit}. */
export async function* guestAudit(
  session: Session,
  options: GuestAuditOptions,
): AsyncGenerator<Finding> {
  const { context, userRoot } = await guestTables(session, options, options.range?.start);
  const { memory } = session;
  const ranges = options.ranges ?? (memory instanceof MonitorMemory ? await memory.ranges() : null);
  yield* audit({ memory, context }, {
    ...options,
    ...ranges && { ranges },
    ...userRoot !== undefined && { userRoot },
  });
}

/** A page table of the guest, with its KPTI pair. */
export interface GuestTables extends PageTable {
  /** Under KPTI, the pair of roots. */
  readonly kpti?: KptiPair;
  /** The user's root, if the table is the kernel's: execute rights of user pages are taken from it. */
  readonly userRoot?: bigint;
}

/** Finds the tables that a choice means, and whether KPTI gives them a partner. */
export async function guestTables(
  session: Session,
  options: TableChoice & ReadOptions,
  address?: AddressLike,
): Promise<GuestTables> {
  const walkOptions = options.signal ? { signal: options.signal } : {};
  const table = await session.pageTable(options, address, walkOptions);
  return { ...table, ...await kptiOf(session.memory, table.context, options) };
}

/** The KPTI pair of a root and, if it is the kernel's, where execute rights are to be taken from. */
async function kptiOf(
  memory: PhysicalMemory,
  context: PagingContext,
  { signal }: ReadOptions,
): Promise<{ kpti?: KptiPair; userRoot?: bigint }> {
  const kpti = await findKptiPairOfRoot(memory, context, signal ? { signal } : {});
  if (!kpti) return {};
  return { kpti, ...kpti.kernelRoot === context.root && { userRoot: kpti.userRoot } };
}

function withUserRoot<T extends object>(options: T, userRoot: bigint | undefined): T {
  return userRoot === undefined ? options : { ...options, userRoot };
}
