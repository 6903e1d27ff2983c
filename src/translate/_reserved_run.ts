import type { PagingModeName } from "../arch/x86/paging_context.ts";
import { reservedCauses } from "../arch/x86/reserved_bits.ts";
import type { ListedReservedBits } from "./listing_records.ts";

/** Joins neighbouring entries of one level that set bits which are reserved for the same causes. */
export class ReservedRun {
  readonly #mode: PagingModeName;
  #run: ListedReservedBits | null = null;

  constructor(mode: PagingModeName) {
    this.#mode = mode;
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
      reservedCauses(next.entry, this.#mode).join() ===
        reservedCauses(run.entry, this.#mode).join();
  }
}
