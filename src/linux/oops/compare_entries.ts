import type { OopsEntry, OopsTable } from "../../arch/oops_report.ts";
import { levelDecoders, levelOf, type Regime } from "../../translate/regime.ts";
import type { Walk } from "../../translate/walk.ts";

/** An entry as it was printed, and as it is now. */
export interface OopsEntryChange extends OopsEntry {
  /** The entry now; null if the walk does not come so far. */
  readonly now: bigint | null;
  /** What became of it; accessed and dirty bits do not count. */
  readonly change: "same" | "changed" | "appeared" | "gone" | "unreadable";
}

/** The tables by Linux's names, from the one of the smallest pages up; the top one is always a PGD. */
const FROM_LEAF: readonly OopsTable[] = ["PTE", "PMD", "PUD", "P4D"];

/** Holds printed entries against those of a walk. */
export function compareOopsEntries(
  printed: readonly OopsEntry[],
  { steps, regime }: Walk,
): OopsEntryChange[] {
  const levels = levelDecoders(regime).map(({ format }) => format.level);
  return printed
    // Where there are fewer levels than names, Linux prints the top entry by each that has no level of
    // its own: as P4D with 4 levels, as PUD too with 3.
    .filter(({ table }) =>
      table === "PGD" || steps.length === 0 || FROM_LEAF.indexOf(table) < levels.length - 1
    )
    .map(({ table, raw }) => {
      const level = table === "PGD" ? levels[0] : levels.at(-1 - FROM_LEAF.indexOf(table));
      const now = steps.find((step) => step.level === level)?.raw ?? null;
      return { table, raw, now, change: changeOf(raw, now, regime, level) };
    });
}

function changeOf(
  then: bigint | null,
  now: bigint | null,
  regime: Regime,
  level: number | undefined,
): OopsEntryChange["change"] {
  if (then === null || now === null) {
    return then === null && now !== null ? "appeared" : "unreadable";
  }
  const decoder = level === undefined ? undefined : levelOf(regime, level);
  const isPresent = (raw: bigint) => decoder !== undefined && decoder.kindOf(raw) !== "notPresent";
  const [was, is] = [isPresent(then), isPresent(now)];
  if (was !== is) return is ? "appeared" : "gone";
  return (then ^ now) & ~regime.spans[0]!.hardwareBits ? "changed" : "same";
}
