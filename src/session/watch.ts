import { checkOptions, MILLISECONDS, type OptionShape, SIGNAL } from "../core/options.ts";
import { diffEntries, type FieldChange } from "../translate/entry_diff.ts";
import type { Regime } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import {
  CHOICE_INSTEAD,
  CHOICE_SHAPE,
  splitTableChoice,
  type TableChoice,
} from "./table_choice.ts";

/** One entry on the way to a page that is not what it was. */
export interface EntryChange {
  /** The level of the table that holds it, 5 to 1; level 1 is the PT. */
  readonly level: number;
  /** The table's name. */
  readonly name: string;
  /** The guest-physical address of the entry. */
  readonly address: bigint;
  /** The entry before. */
  readonly before: bigint;
  /** The entry now. */
  readonly after: bigint;
  /** The fields that differ. */
  readonly fields: readonly FieldChange[];
}

/** What a watched address maps to, and what has changed since the event before. */
export interface WatchEvent<W extends Walk = Walk> {
  /** When it was seen, in milliseconds since 1970. */
  readonly timeMs: number;
  /** The walk. */
  readonly walk: W;
  /** The entries that changed, from the root down; none in the first event. */
  readonly changes: readonly EntryChange[];
}

/** Options of a watch. */
export interface WatchOptions {
  /**
   * Milliseconds between two walks. What changes and changes back in between is not seen.
   *
   * @default {10}
   */
  intervalMs?: number;
  /** Ends the watch quietly. */
  signal?: AbortSignal;
}

const WATCH_SHAPE: OptionShape<WatchOptions> = { intervalMs: MILLISECONDS, signal: SIGNAL };

/** Checks the options of a watch and takes the choice of a table out of them. */
export function splitWatchOptions(
  options: TableChoice & WatchOptions,
): [choice: TableChoice, watchOptions: WatchOptions] {
  const shape = { ...CHOICE_SHAPE, ...WATCH_SHAPE };
  checkOptions(options, "the options of a watch", shape, CHOICE_INSTEAD);
  return splitTableChoice(options);
}

/** Does something; null if it was given up because the watch is to end, which it does quietly. */
export async function unlessAborted<T>(
  find: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | null> {
  try {
    return await find();
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return null;
    throw error;
  }
}

/**
 * Repeats a walk, and yields the first and each that differs from the one before. The guest is not
 * paused, so a walk that saw tables in change is repeated at once and never yielded.
 */
export async function* watchWalks<W extends Walk>(
  walkNow: () => Promise<W>,
  options: WatchOptions = {},
): AsyncGenerator<WatchEvent<W>, void> {
  const { intervalMs = 10, signal } = options;
  let last: W | undefined;
  while (!signal?.aborted) {
    const walk = await walkNow();
    if (!walk.changedDuringWalk) {
      const changes = last ? changesBetween(last, walk) : [];
      if (!last || changes.length > 0 || last.outcome !== walk.outcome) {
        yield { timeMs: Date.now(), walk, changes };
      }
      last = walk;
    }
    await pause(intervalMs, signal);
  }
}

/** Compares the entries of two walks to the same address, level by level. */
function changesBetween(before: Walk, after: Walk): EntryChange[] {
  const changes: EntryChange[] = [];
  for (const [i, entry] of after.steps.entries()) {
    const was = before.steps[i];
    if (was && was.raw !== entry.raw) changes.push(changeOf(was.raw, entry, after.regime));
    // Below an entry that leads elsewhere all is new, and says nothing of what was changed.
    if (was && was.frame !== entry.frame && entry.kind === "table") break;
  }
  return changes;
}

function changeOf(before: bigint, entry: Walk["steps"][number], regime: Regime): EntryChange {
  const { level, name, address, raw } = entry;
  return {
    level,
    name,
    address,
    before,
    after: raw,
    fields: diffEntries(before, raw, level, regime),
  };
}

function pause(forMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, forMs);
    signal?.addEventListener("abort", done, { once: true });
  });
}
