import type { Walk } from "../../translate/walk.ts";
import type { OopsEntry, OopsTable } from "./oops_report.ts";

/** An entry as it was printed, and as it is now. */
export interface OopsEntryChange extends OopsEntry {
  /** The entry now; null if the walk does not come so far. */
  readonly now: bigint | null;
  /** What became of it; accessed and dirty bits do not count. */
  readonly change: "same" | "changed" | "appeared" | "gone" | "unreadable";
}

/** The level that Linux's names mean: the top one is named PGD whatever level it is. */
const LEVELS: Readonly<Record<Exclude<OopsTable, "PGD">, number>> = {
  PTE: 1,
  PMD: 2,
  PUD: 3,
  P4D: 4,
};

const PRESENT = 1n;
const ACCESSED_AND_DIRTY = 0x60n;

/** Holds printed entries against those of a walk. */
export function compareOopsEntries(
  printed: readonly OopsEntry[],
  { steps }: Walk,
): OopsEntryChange[] {
  const top = steps[0]?.level;
  return printed
    // With 4 levels Linux prints the top entry twice, as PGD and as P4D.
    .filter(({ table }) => table !== "P4D" || top === undefined || top > LEVELS.P4D)
    .map(({ table, raw }) => {
      const level = table === "PGD" ? top : LEVELS[table];
      const now = steps.find((step) => step.level === level)?.raw ?? null;
      return { table, raw, now, change: changeOf(raw, now) };
    });
}

function changeOf(then: bigint | null, now: bigint | null): OopsEntryChange["change"] {
  if (then === null || now === null) {
    return then === null && now !== null ? "appeared" : "unreadable";
  }
  const [was, is] = [(then & PRESENT) !== 0n, (now & PRESENT) !== 0n];
  if (was !== is) return is ? "appeared" : "gone";
  return (then ^ now) & ~ACCESSED_AND_DIRTY ? "changed" : "same";
}
