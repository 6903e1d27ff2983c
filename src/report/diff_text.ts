import { formatAddress } from "../core/address.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import { addressDigits, entryNameOf, type Regime } from "../translate/regime.ts";
import type { EntryDifference } from "../snapshot/diff.ts";
import { entryRecord } from "./json.ts";
import { mappingRecord } from "./mappings_record.ts";
import { formatSize } from "./size.ts";

/**
 * Writes a difference as a line: `+` appeared, `-` vanished, `~` changed with the fields that did, `?`
 * not compared.
 *
 * @example Usage
 * ```ts
 * import { connect, diff } from "@pagewalk/pagewalk";
 * import { differenceLine } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * const { context } = await guest.pageTable();
 * const before = await guest.snapshot();
 * for await (const difference of diff(before, { memory: guest.memory, context })) {
 *   console.log(differenceLine(difference, context));
 * }
 * ```
 */
export function differenceLine(difference: EntryDifference, regime: Regime): string {
  const { address, lengthBytes } = difference;
  const digits = addressDigits(regime);
  const where = `${formatAddress(address, digits)} ${formatSize(lengthBytes).padStart(7)}`;
  switch (difference.kind) {
    case "appeared":
      return `+ ${where} ${entryText(difference.entry, regime)}`;
    case "vanished":
      return `- ${where} ${entryText(difference.entry, regime)}`;
    case "changed": {
      const { before, after, fields } = difference;
      const flips = fields.map((field) => {
        const isBit = field.width === 1;
        const write = (value: bigint) => isBit ? String(value) : formatAddress(value);
        return `${field.linuxName ?? field.name} ${write(field.before)} -> ${write(field.after)}`;
      });
      return `~ ${where} ${entryText(before, regime)} -> ${formatAddress(after.raw)}: ${
        flips.join(", ")
      }`;
    }
    case "notCompared": {
      const { side, record } = difference;
      const why = record.kind === "truncated"
        ? "its listing ended here, at its limit of tables"
        : `its table at ${formatAddress(record.table)} could not be read`;
      return `? ${where} not compared: ${side}, ${why}`;
    }
  }
}

/**
 * A difference as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { connect, diff } from "@pagewalk/pagewalk";
 * import { differenceRecord, toJson } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * const before = await guest.snapshot();
 * for await (const difference of diff(before, await guest.snapshot())) {
 *   console.log(toJson(differenceRecord(difference)));
 * }
 * ```
 */
export function differenceRecord(difference: EntryDifference): Record<string, unknown> {
  const { kind, address, lengthBytes } = difference;
  switch (difference.kind) {
    case "appeared":
    case "vanished":
      return { kind, address, lengthBytes, entry: entryRecord(difference.entry) };
    case "changed": {
      const { before, after, flipped, fields } = difference;
      return {
        ...{ kind, address, lengthBytes },
        ...{ before: entryRecord(before), after: entryRecord(after), flipped, fields },
      };
    }
    case "notCompared":
      return {
        ...{ kind, address, lengthBytes, side: difference.side },
        record: mappingRecord(difference.record),
      };
  }
}

function entryText(entry: PageTableEntry, regime: Regime): string {
  return `${entryNameOf(regime, entry.level)} ${formatAddress(entry.raw)}`;
}

/** Neighbours that differ in the same way. */
export interface DifferenceRun {
  /** The first of them. */
  readonly first: EntryDifference;
  /** The last; the first itself if it is alone. */
  readonly last: EntryDifference;
  /** How many there are. */
  readonly count: number;
}

/**
 * Joins differences of neighbours that are alike: entries of one level in which the same bits were set
 * or cleared, or which came or went with the same flags. Those that cannot be compared stay alone.
 *
 * @example Usage
 * ```ts
 * import { connect, diff } from "@pagewalk/pagewalk";
 * import { differenceRuns } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const [before, after] = [await guest.snapshot(), await guest.snapshot()];
 * assertEquals(await Array.fromAsync(differenceRuns(diff(before, after))), []);
 * ```
 */
export async function* differenceRuns(
  differences: AsyncIterable<EntryDifference>,
): AsyncGenerator<DifferenceRun> {
  let run = null as DifferenceRun | null;
  for await (const next of differences) {
    if (run !== null && isAlike(run.last, next)) {
      run = { ...run, last: next, count: run.count + 1 };
      continue;
    }
    if (run !== null) yield run;
    run = { first: next, last: next, count: 1 };
  }
  if (run !== null) yield run;
}

function isAlike(last: EntryDifference, next: EntryDifference): boolean {
  const { lengthBytes } = last;
  if (next.lengthBytes !== lengthBytes || next.address !== last.address + BigInt(lengthBytes)) {
    return false;
  }
  if (last.kind === "changed" && next.kind === "changed") {
    // Where more than bits changed, each entry has a value of its own to show.
    return last.after.level === next.after.level && last.flipped === next.flipped &&
      (last.after.raw & last.flipped) === (next.after.raw & next.flipped) &&
      next.fields.every(({ width }) => width === 1);
  }
  if (last.kind === "notCompared" || next.kind === "notCompared") return false;
  if (last.kind === "changed" || next.kind === "changed" || last.kind !== next.kind) return false;
  const { level, kind, flags } = last.entry;
  return next.entry.level === level && next.entry.kind === kind &&
    Object.entries(flags).every(([name, value]) => next.entry.flags[name] === value);
}

/**
 * Writes a run as a line: one difference as {@linkcode differenceLine} does, more with their addresses,
 * how many there are, and what they have in common.
 *
 * @example Usage
 * ```ts
 * import { connect, diff } from "@pagewalk/pagewalk";
 * import { differenceRunLine, differenceRuns } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * const [before, after] = [await guest.snapshot(), await guest.snapshot()];
 * for await (const run of differenceRuns(diff(before, after))) {
 *   console.log(differenceRunLine(run, after.context));
 * }
 * ```
 */
export function differenceRunLine({ first, last, count }: DifferenceRun, regime: Regime): string {
  if (count === 1) return differenceLine(first, regime);
  const digits = addressDigits(regime);
  const end = last.address + BigInt(last.lengthBytes) - 1n;
  const where = `${formatAddress(first.address, digits)}-${formatAddress(end, digits)}`;
  const many = `${count} x ${formatSize(first.lengthBytes)}`;
  switch (first.kind) {
    case "changed": {
      const flips = first.fields.map(({ linuxName, name, before, after }) =>
        `${linuxName ?? name} ${before} -> ${after}`
      );
      const name = entryNameOf(regime, first.after.level);
      return `~ ${where} ${many} ${name}: ${flips.join(", ")}`;
    }
    case "appeared":
    case "vanished": {
      const { level, raw } = first.entry;
      const text = `${entryNameOf(regime, level)}, the first ${formatAddress(raw)}`;
      return `${first.kind === "appeared" ? "+" : "-"} ${where} ${many} ${text}`;
    }
    case "notCompared":
      return differenceLine(first, regime);
  }
}
