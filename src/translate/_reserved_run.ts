import type { ListedReservedBits } from "./listing_records.ts";
import type { RegimeRules } from "./regime.ts";

/** Joins neighbouring entries of one level that set bits which are reserved for the same causes. */
export class ReservedRun {
  readonly #rules: RegimeRules;
  #run: ListedReservedBits | null = null;

  constructor(rules: RegimeRules) {
    this.#rules = rules;
  }

  /** Takes the next entry, and returns the run that it ends, if it does. */
  *add(record: ListedReservedBits): Generator<ListedReservedBits> {
    const run = this.#run;
    if (run !== null && this.#continues(run, record)) {
      const lengthBytes = run.lengthBytes + record.lengthBytes;
      this.#run = { ...run, lengthBytes, entries: run.entries + record.entries };
      return;
    }
    yield* this.end();
    this.#run = record;
  }

  /** Ends the run and returns it, if there is one. */
  *end(): Generator<ListedReservedBits> {
    if (this.#run !== null) yield this.#run;
    this.#run = null;
  }

  #continues(run: ListedReservedBits, next: ListedReservedBits): boolean {
    return next.address === run.address + BigInt(run.lengthBytes) &&
      next.entry.level === run.entry.level && next.entry.kind === run.entry.kind &&
      this.#rules.reservedCauses(next.entry).join() ===
        this.#rules.reservedCauses(run.entry).join();
  }
}
