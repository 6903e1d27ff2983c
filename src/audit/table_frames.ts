/** The frames that hold page tables, to be asked for by range. */
export class TableFrames {
  readonly #sorted: BigUint64Array;

  /** Takes the guest-physical addresses of the tables. */
  constructor(tables: Iterable<bigint>) {
    // A PAE root need not start its page; what matters is the page.
    this.#sorted = BigUint64Array.from(tables, (table) => table & ~0xfffn).sort();
  }

  /** The tables that lie in a range, each once. */
  *within(start: bigint, lengthBytes: number): Generator<bigint> {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! < start) low = middle + 1;
      else high = middle;
    }
    const end = start + BigInt(lengthBytes);
    for (; low < this.#sorted.length && this.#sorted[low]! < end; low++) {
      if (this.#sorted[low] !== this.#sorted[low - 1]) yield this.#sorted[low]!;
    }
  }
}
