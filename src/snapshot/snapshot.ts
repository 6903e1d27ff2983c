import { checkOptions, OBJECT, type OptionCheck, type OptionShape } from "../core/options.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { LIST_SHAPE, type ListOptions, listTables } from "../translate/listing.ts";
import { type PieceMemory, RecordingMemory } from "./piece_memory.ts";

/** Page tables and the memory to read them from: a guest's, or a snapshot's. */
export interface PageTableSource {
  /** Where the tables are read. */
  readonly memory: PhysicalMemory;
  /** Their mode and root. */
  readonly context: Regime;
}

/**
 * The tables of an address space as they were at one time. It is a source like a running guest, so
 * walks, listings, verdicts and audits work on it; memory that is not a table is not in it.
 */
export interface Snapshot extends PageTableSource {
  /** The tables that were read. */
  readonly memory: PieceMemory;
  /** When it was taken. */
  readonly takenAt: Date;
  /** What it was taken of, for people: an endpoint, a process. */
  readonly source: string;
  /** False if the listing ended before all tables were read. */
  readonly isWhole: boolean;
}

/** Options of {@linkcode snapshot}. */
export interface SnapshotOptions extends Pick<ListOptions, "signal" | "onProgress" | "maxTables"> {
  /** Take only the tables of these addresses. */
  range?: AddressRange;
  /**
   * What it is taken of, for people.
   *
   * @default {""}
   */
  source?: string;
}

const ANY_TEXT: OptionCheck = (value) => typeof value === "string" ? null : "a text";

/** The checks of {@linkcode SnapshotOptions}. */
export const SNAPSHOT_SHAPE: OptionShape<SnapshotOptions> = {
  signal: LIST_SHAPE.signal,
  onProgress: LIST_SHAPE.onProgress,
  maxTables: LIST_SHAPE.maxTables,
  range: OBJECT,
  source: ANY_TEXT,
};

/**
 * Takes a snapshot of an address space, in both views if the kernel keeps two: every table is read
 * once. A guest that runs meanwhile may change tables that were read already; `frozen` stops it for the time.
 *
 * @throws {InvalidArgumentError} if the range cannot be used
 *
 * @example Usage
 * ```ts
 * import { pagingContext, snapshot, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const taken = await snapshot(guest.memory, pagingContext(guest.registers(0)));
 * const found = await walk(taken.memory, taken.context, 0x7f1234567000n);
 * assertEquals(found.outcome, "mapped");
 * ```
 */
export async function snapshot(
  memory: PhysicalMemory,
  context: Regime,
  options: SnapshotOptions = {},
): Promise<Snapshot> {
  checkOptions(options, "the options of a snapshot", SNAPSHOT_SHAPE);
  const { range = {}, source = "", ...list } = options;
  const recording = new RecordingMemory(memory);
  const takenAt = new Date();
  const { userView } = context;
  const contexts = [context, ...userView === undefined ? [] : [withRoot(context, userView)]];
  let isWhole = true;
  for (const each of contexts) {
    for await (const batch of listTables(recording, each, range, list)) {
      isWhole &&= !batch.some(({ kind }) => kind === "truncated");
    }
  }
  return {
    memory: recording.recorded(),
    ...{ context, takenAt, source, isWhole },
  };
}
