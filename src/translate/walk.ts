import { type AddressLike, parseAddress } from "../core/address.ts";
import { mayBeBeyond } from "./reserved_bits.ts";
import type { NoTables } from "./no_tables.ts";
import { BOOLEAN, checkOptions, type OptionShape, SIGNAL } from "../core/options.ts";
import {
  MemoryReadError,
  type MemoryReadFailure,
  type PhysicalMemory,
} from "../memory/physical_memory.ts";
import { type AddressSpan, type Regime, spanAt, whyNoTables } from "./regime.ts";
import { type PageTableEntry, REREADINGS, saysTheSame, shuffled, tableIndex } from "./entry.ts";
import {
  type DecidingLevels,
  type LeafRights,
  restrictedRights,
  type Rights,
  settledRights,
} from "./rights.ts";
import type { SecondStage, SecondStageMemory, SecondStageRecord } from "./second_stage_rule.ts";

/** What every walk tells, however it ended. */
export interface WalkRecord {
  /** The linear (virtual) address that was looked up. */
  readonly address: bigint;
  /** The regime by which it was looked up. */
  readonly regime: Regime;
  /** The regime's name, such as `4-level`. */
  readonly mode: string;
  /** The guest-physical address of the top table. */
  readonly root: bigint;
  /** Every entry that was read, from the root down. */
  readonly steps: readonly PageTableEntry[];
  /**
   * True if an entry no longer was what the walk had read when it was read again at the end, apart
   * from accessed and dirty bits: the guest was changing its tables, so walk again.
   */
  readonly changedDuringWalk: boolean;
  /**
   * In a guest within a guest, every translation by the second stage, in order: of each table's
   * address, and of the result.
   */
  readonly secondStage?: readonly SecondStageRecord[];
}

/** The address maps to a page. */
export interface MappedWalk extends WalkRecord {
  /** The walk ended in a page. */
  readonly outcome: "mapped";
  /** The guest-physical address that the linear address translates to. */
  readonly physicalAddress: bigint;
  /** With a second stage: what the linear address translates to before it. */
  readonly intermediateAddress?: bigint;
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
  readonly level: number;
  /** The entry that is not present. */
  readonly entry: PageTableEntry;
}

/** An entry on the way sets bits that are reserved: an access would fault with the RSVD flag. */
export interface ReservedBitsWalk extends WalkRecord {
  /** The walk ended at an entry that sets reserved bits. */
  readonly outcome: "reservedBits";
  /** The level of that entry. */
  readonly level: number;
  /** That entry; its `reservedBits` tells which. */
  readonly entry: PageTableEntry;
}

/** The address is not an address in this mode: an access would raise #GP, without any table. */
export interface NonCanonicalWalk extends WalkRecord {
  /** There was nothing to walk. */
  readonly outcome: "nonCanonical";
}

/** An entry could not be read. Whether the address is mapped is not known. */
export interface UnreadableWalk extends WalkRecord {
  /** The walk could not go on. */
  readonly outcome: "unreadable";
  /** The level of the entry that could not be read. */
  readonly level: number;
  /** The guest-physical address of the entry that could not be read. */
  readonly entryAddress: bigint;
  /** `outsideRam` if the table pointer leads outside RAM and ROM: the tables are corrupt. */
  readonly failure: MemoryReadFailure;
}

/** There was nothing to walk: paging is off, or the vCPU's CR3 is not a root of this guest's tables. */
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
  regime: Regime,
  address: AddressLike,
  options: WalkOptions = {},
): Promise<Walk> {
  checkOptions(options, "the options of a walk", WALK_SHAPE);
  const target = parseAddress(address);
  const { mode, root } = regime;
  const steps: PageTableEntry[] = [];
  const record = { address: target, regime, mode, root, steps, changedDuringWalk: false };
  const why = whyNoTables(regime);
  if (why !== undefined) return { ...record, outcome: "noTables", why };
  const span = spanAt(regime, target);
  if (span === undefined) return { ...record, outcome: "nonCanonical" };
  const { signal } = options;
  /** What was read beside the steps. */
  const others: EntryRead[] = [];
  const stage2 = regime.stage2?.over(memory);
  const tables = stage2 ?? memory;
  let ended = await descend(tables, span, record, others, signal);
  if (stage2) ended = await throughSecondStage(regime.stage2!, stage2, ended, signal);
  if (options.recheck === false) return ended;
  const beneath = stage2?.layout;
  if (beneath) {
    const entries = stage2.records.flatMap((record) => record.steps);
    if (await changed(memory, beneath, entries, signal)) {
      return { ...ended, changedDuringWalk: true };
    }
  }
  return {
    ...ended,
    changedDuringWalk: await changed(tables, span, [...steps, ...others], signal),
  };
}

/** What a walk comes to once its result is translated by the second stage too. */
async function throughSecondStage(
  stage: SecondStage,
  memory: SecondStageMemory,
  walk: Walk,
  signal: AbortSignal | undefined,
): Promise<Walk> {
  if (walk.outcome !== "mapped") return { ...walk, secondStage: [...memory.records] };
  const { physicalAddress: intermediateAddress, decidedBy: { present: level } } = walk;
  const found = await memory.translate(intermediateAddress, signal ? { signal } : {});
  const secondStage = [...memory.records];
  if (typeof found === "bigint") {
    const seen = restrictedRights(walk, secondStage.at(-1)?.effective, stage.restricts);
    return { ...seen, physicalAddress: found, intermediateAddress, secondStage };
  }
  const { address, regime, mode, root, steps, changedDuringWalk } = walk;
  return {
    ...{ address, regime, mode, root, steps, changedDuringWalk, secondStage },
    ...{ outcome: "unreadable", level, entryAddress: intermediateAddress, failure: found.failure },
  };
}

/** An entry as it was read. */
type EntryRead = Pick<PageTableEntry, "address" | "raw">;

async function descend(
  memory: PhysicalMemory,
  span: AddressSpan,
  record: WalkRecord & { steps: PageTableEntry[] },
  others: EntryRead[],
  signal: AbortSignal | undefined,
): Promise<Walk> {
  const { address, regime, steps } = record;
  const { entryBytes, levels } = span;
  const { rights } = regime.rules;
  let table = span.table ?? regime.root;
  for (let depth = 0; depth < levels.length; depth++) {
    const decoder = levels[depth]!;
    const { level, shift } = decoder.format;
    const index = tableIndex(address, decoder.format);
    const entryAddress = table + BigInt(index * entryBytes);
    const raw = await readEntry(memory, entryAddress, entryBytes, signal);
    if (typeof raw !== "bigint") {
      return { ...record, outcome: "unreadable", level, entryAddress, failure: raw.failure };
    }
    const entry = decoder.decode(raw, entryAddress, index);
    steps.push(entry);
    if (entry.kind === "notPresent") return { ...record, outcome: "notPresent", level, entry };
    if (entry.reservedBits) return { ...record, outcome: "reservedBits", level, entry };
    if (entry.kind === "page") {
      const pageShift = entry.pageShift ?? shift;
      const offset = address & ((1n << BigInt(pageShift)) - 1n);
      const [first, ...below] = steps;
      const seen = await topSeen(memory, span, regime, first!, signal);
      if (seen.counterpart) others.push(seen.counterpart);
      return {
        ...record,
        outcome: "mapped",
        physicalAddress: entry.frame | offset,
        pageSizeBytes: 2 ** pageShift,
        ...mayBeBeyond(regime, entry.frame) && { mayBeBeyond: true },
        leaf: rights.leafOf(entry),
        ...settledRights(rights, [seen.top, ...below]),
      };
    }
    depth += entry.skippedLevels ?? 0;
    // The bits that the levels left out would index must be 0: the table below covers no more.
    if (entry.skippedLevels && skippedBits(address, shift, levels[depth + 1]!.format) !== 0n) {
      return { ...record, outcome: "notPresent", level, entry };
    }
    table = entry.frame;
  }
  throw new Error("A regime's last level must map pages");
}

/** The bits of an address between those that index a table and those below an entry. */
function skippedBits(
  address: bigint,
  shift: number,
  below: { shift: number; indexBits: number },
): bigint {
  return (address & ((1n << BigInt(shift)) - 1n)) >> BigInt(below.shift + below.indexBits);
}

/** The top entry as user code sees it, where the kernel keeps two views; and its entry in the other. */
async function topSeen(
  memory: PhysicalMemory,
  span: AddressSpan,
  regime: Regime,
  top: PageTableEntry,
  signal: AbortSignal | undefined,
): Promise<{ top: PageTableEntry; counterpart?: EntryRead }> {
  const { rules: { views }, userView } = regime;
  if (userView === undefined || !views) return { top };
  const address = userView + BigInt(top.index * span.entryBytes);
  const raw = await readEntry(memory, address, span.entryBytes, signal);
  // A view that cannot be read is none: the rights then stay as the walked tables have them.
  if (typeof raw !== "bigint") return { top };
  const seen = span.levels[0]!.decode(views.asUserSees(top.raw, raw), top.address, top.index);
  return { top: seen, counterpart: { address, raw } };
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
  { entryBytes, hardwareBits }: Pick<AddressSpan, "entryBytes" | "hardwareBits">,
  steps: readonly EntryRead[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (let readings = 0; readings < REREADINGS; readings++) {
    const same = await Promise.all(
      shuffled(steps).map(async (step) => {
        const raw = await readEntry(memory, step.address, entryBytes, signal);
        return typeof raw === "bigint" && saysTheSame(step.raw, raw, hardwareBits);
      }),
    );
    if (same.includes(false)) return true;
  }
  return false;
}
