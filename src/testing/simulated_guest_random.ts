/** A repeatable source of numbers (mulberry32): the same seed gives the same guest. */
export class SeededRandom {
  #state: number;

  /** Starts the sequence of a seed. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next number, 0 up to but not including `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000 * limit);
  }

  /** The next 64-bit word. */
  word(): bigint {
    const half = () => BigInt(this.below(0x1_0000_0000));
    return half() << 32n | half();
  }
}

/** Gives out page frames in an order that only the seed knows. */
export class FramePool {
  readonly #frames: bigint[] = [];

  /** A pool of `pages` frames from `start` on. */
  constructor(start: bigint, pages: number, random: SeededRandom) {
    for (let page = 0; page < pages; page++) {
      const other = random.below(page + 1);
      this.#frames.push(start + BigInt(page) * 0x1000n);
      [this.#frames[page], this.#frames[other]] = [this.#frames[other]!, this.#frames[page]!];
    }
  }

  /** Takes a frame. */
  take(): bigint {
    const frame = this.#frames.pop();
    if (frame === undefined) throw new Error("The simulated guest is out of page frames");
    return frame;
  }
}
