import { type AddressLike, parseAddress } from "../core/address.ts";
import { isCanonical } from "../core/canonical.ts";
import { type NoTables, PAGING_OFF } from "../arch/x86/cpu_state.ts";
import { BOOLEAN, checkOptions, type OptionShape, SIGNAL } from "../core/options.ts";
import type { PagingContext, PagingModeName } from "../arch/x86/paging_context.ts";
import {
  MemoryReadError,
  type MemoryReadFailure,
  type PhysicalMemory,
} from "../memory/physical_memory.ts";
import { mayBeBeyond } from "../arch/x86/physical_bits.ts";
import { type LevelDecoder, levelDecoders, type PageTableEntry } from "../arch/x86/entry.ts";
import { PAGING_MODES, type PagingLevel, tableIndex } from "../arch/x86/modes.ts";
import {
  type DecidingLevels,
  effectiveRights,
  type LeafRights,
  leafRightsOf,
  type Rights,
} from "../arch/x86/rights.ts";
import { REREADINGS, saysTheSame, shuffled } from "./reread.ts";

/** What every walk tells, however it ended. */
export interface WalkRecord {
  /** The linear (virtual) address that was looked up. */
  readonly address: bigint;
  /** The paging mode. */
  readonly mode: PagingModeName;
  /** The guest-physical address of the top table. */
  readonly root: bigint;
  /** Every entry that was read, from the root down. */
  readonly steps: readonly PageTableEntry[];
  /**
   * True if an entry no longer was what the walk had read when it was read again at the end, apart
   * from accessed and dirty bits: the guest was changing its tables, so walk again.
   */
  readonly changedDuringWalk: boolean;
}

/** The address maps to a page. */
export interface MappedWalk extends WalkRecord {
  /** The walk ended in a page. */
  readonly outcome: "mapped";
  /** The guest-physical address that the linear address translates to. */
  readonly physicalAddress: bigint;
  /** The size of the page in bytes. */
  readonly pageSizeBytes: number;
  /** What the last entry says. */
  readonly leaf: LeafRights;
  /** What all levels allow together. */
  readonly effective: Rights;
  /** The level that decides each right. */
  readonly decidedBy: DecidingLevels;
  /** True if MAXPHYADDR is not known and the page lies so high that an access may fault for it. */
  readonly mayBeBeyond?: true;
}

/** An entry on the way is not present: an access would fault. */
export interface NotPresentWalk extends WalkRecord {
  /** The walk ended at an entry whose present bit is clear. */
  readonly outcome: "notPresent";
  /** The level of the entry that is not present. */
  readonly level: PagingLevel;
  /** The entry that is not present. */
  readonly entry: PageTableEntry;
}

/** An entry on the way sets bits that are reserved: an access would fault with the RSVD flag. */
export interface ReservedBitsWalk extends WalkRecord {
  /** The walk ended at an entry that sets reserved bits. */
  readonly outcome: "reservedBits";
  /** The level of that entry. */
  readonly level: PagingLevel;
  /** That entry; its `reservedBits` tells which. */
  readonly entry: PageTableEntry;
}

/** The address is no address in this mode: an access would raise #GP, without any table. */
export interface NonCanonicalWalk extends WalkRecord {
  /** There was nothing to walk. */
  readonly outcome: "nonCanonical";
}

/** An entry could not be read. Whether the address is mapped is not known. */
export interface UnreadableWalk extends WalkRecord {
  /** The walk could not go on. */
  readonly outcome: "unreadable";
  /** The level of the entry that could not be read. */
  readonly level: PagingLevel;
  /** The guest-physical address of the entry that could not be read. */
  readonly entryAddress: bigint;
  /** `outsideRam` if the table pointer leads outside RAM and ROM: the tables are corrupt. */
  readonly failure: MemoryReadFailure;
}

/** There was nothing to walk: paging is off, or the vCPU's CR3 is no root of this guest's tables. */
export interface NoTablesWalk extends WalkRecord {
  /** No entry was read, so there is no verdict. */
  readonly outcome: "noTables";
  /** Why there are no tables. */
  readonly why: NoTables;
}

/** A walk of the page tables: every step, and how it ended. */
export type Walk =
  | MappedWalk
  | NotPresentWalk
  | ReservedBitsWalk
  | NonCanonicalWalk
  | UnreadableWalk
  | NoTablesWalk;

/** How a walk ended. */
export type WalkOutcome = Walk["outcome"];

/** Options of {@linkcode walk}. */
export interface WalkOptions {
  /** Ends the walk with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Read every entry again at the end, twice, for `changedDuringWalk`. What changes and changes back
   * between two readings is not seen; only a guest that is paused does not change.
   *
   * @default {true}
   */
  recheck?: boolean;
}

/** The checks of {@linkcode WalkOptions}. */
export const WALK_SHAPE: OptionShape<WalkOptions> = { signal: SIGNAL, recheck: BOOLEAN };

/**
 * Walks the page tables for one address as the processor would, and records every step. A page fault
 * is an outcome, not an exception; so is an entry that cannot be read.
 *
 * @throws {InvalidArgumentError} if the address is none
 * @throws if the memory fails in another way than {@linkcode MemoryReadError}: a lost connection
 *
 * @example Usage
 * ```ts
 * import { pagingContext, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const result = await walk(guest.memory, context, 0x7f1234567000n);
 * assertEquals(result.outcome, "mapped");
 * ```
 */
export async function walk(
  memory: PhysicalMemory,
  context: PagingContext,
  address: AddressLike,
  options: WalkOptions = {},
): Promise<Walk> {
  checkOptions(options, "the options of a walk", WALK_SHAPE);
  const target = parseAddress(address);
  const mode = PAGING_MODES[context.mode];
  const steps: PageTableEntry[] = [];
  const record = {
    address: target,
    mode: mode.name,
    root: context.root,
    steps,
    changedDuringWalk: false,
  };
  const decoders = levelDecoders(context);
  const why = context.noTables ?? (decoders.length === 0 ? PAGING_OFF : undefined);
  if (why !== undefined) return { ...record, outcome: "noTables", why };
  if (!isCanonical(target, mode.linearAddressBits)) return { ...record, outcome: "nonCanonical" };

  const ended = await descend(memory, context, decoders, record, options.signal);
  if (options.recheck === false) return ended;
  return {
    ...ended,
    changedDuringWalk: await changed(memory, mode.entryBytes, steps, options.signal),
  };
}

async function descend(
  memory: PhysicalMemory,
  context: PagingContext,
  decoders: readonly LevelDecoder[],
  record: WalkRecord & { steps: PageTableEntry[] },
  signal: AbortSignal | undefined,
): Promise<Walk> {
  let table = context.root;
  for (const decoder of decoders) {
    const { level, shift } = decoder.format;
    const index = tableIndex(record.address, decoder.format);
    const entryAddress = table + BigInt(index * decoder.entryBytes);
    const raw = await readEntry(memory, entryAddress, decoder.entryBytes, signal);
    if (typeof raw !== "bigint") {
      return { ...record, outcome: "unreadable", level, entryAddress, failure: raw.failure };
    }
    const entry = decoder.decode(raw, entryAddress, index);
    record.steps.push(entry);
    if (entry.kind === "notPresent") return { ...record, outcome: "notPresent", level, entry };
    if (entry.reservedBits) return { ...record, outcome: "reservedBits", level, entry };
    if (entry.kind === "page") {
      const offset = record.address & ((1n << BigInt(shift)) - 1n);
      return {
        ...record,
        outcome: "mapped",
        physicalAddress: entry.frame | offset,
        pageSizeBytes: 2 ** shift,
        ...mayBeBeyond(context, entry.frame) && { mayBeBeyond: true },
        leaf: leafRightsOf(entry, context.userKeys || context.supervisorKeys),
        ...effectiveRights(record.steps),
      };
    }
    table = entry.frame;
  }
  throw new Error("A paging mode's last level must map pages");
}

/** Reads one entry; a read that fails is returned, since it is an answer of the walk. */
async function readEntry(
  memory: PhysicalMemory,
  address: bigint,
  entryBytes: 4 | 8,
  signal: AbortSignal | undefined,
): Promise<bigint | MemoryReadError> {
  try {
    const bytes = await memory.read(address, entryBytes, signal ? { signal } : {});
    const view = new DataView(bytes.buffer, bytes.byteOffset, entryBytes);
    return entryBytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  } catch (error) {
    if (error instanceof MemoryReadError) return error;
    throw error;
  }
}

async function changed(
  memory: PhysicalMemory,
  entryBytes: 4 | 8,
  steps: readonly PageTableEntry[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (let readings = 0; readings < REREADINGS; readings++) {
    const same = await Promise.all(
      shuffled(steps).map(async (step) => {
        const raw = await readEntry(memory, step.address, entryBytes, signal);
        return typeof raw === "bigint" && saysTheSame(step.raw, raw);
      }),
    );
    if (same.includes(false)) return true;
  }
  return false;
}
