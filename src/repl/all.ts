import type { AllTally } from "../report/all_text.ts";

/** How many there are. */
interface Begin {
  readonly kind: "begin";
  readonly spaces: number;
  readonly withoutMemory: number;
}

/** What came of one. */
interface Done {
  readonly kind: "process";
  readonly outcome: string;
}

/** Takes what was found apart from what came of each process, which is counted. */
export async function tallied<T extends { readonly kind: string }, R>(
  records: AsyncIterable<Begin | Done | T>,
  rowOf: (record: T) => R,
): Promise<{ rows: R[]; tally: AllTally }> {
  const rows: R[] = [];
  const outcomes = new Map<string, number>();
  let [spaces, withoutMemory] = [0, 0];
  for await (const record of records) {
    if (record.kind === "begin") {
      ({ spaces, withoutMemory } = record as Begin);
    } else if (record.kind === "process") {
      const { outcome } = record as Done;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } else {
      rows.push(rowOf(record as T));
    }
  }
  return { rows, tally: { spaces, withoutMemory, outcomes } };
}
