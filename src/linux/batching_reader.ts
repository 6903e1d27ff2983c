import type { ReadOptions } from "../memory/physical_memory.ts";
import { readTogether } from "./read_together.ts";
import type { Reader } from "./reader.ts";

/** A read that waits for those that are asked for in the same turn. */
interface Waiting {
  readonly address: bigint;
  readonly lengthBytes: number;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads for many callers at once: what they ask for in one turn is read together, and what several of
 * them ask for, once. So code that follows one object's pointers serves thousands of objects, if it is
 * called for all of them at the same time.
 */
export class BatchingReader implements Reader {
  readonly #reader: Reader;
  readonly #options: ReadOptions;
  #waiting: Waiting[] = [];

  /** Reads through another reader; the options hold for all reads. */
  constructor(reader: Reader, options: ReadOptions = {}) {
    this.#reader = reader;
    this.#options = options;
  }

  read(address: bigint, lengthBytes: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      // A whole turn, since callers may need some steps to come to their next read.
      if (this.#waiting.length === 0) setTimeout(() => this.#flush());
      this.#waiting.push({ address, lengthBytes, resolve, reject });
    });
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const unique = new Map<string, Waiting[]>();
    for (const each of waiting) {
      const key = `${each.address} ${each.lengthBytes}`;
      const same = unique.get(key);
      if (same) same.push(each);
      else unique.set(key, [each]);
    }
    const groups = [...unique.values()];
    const pieces = await readTogether(this.#reader, groups.map(([first]) => first!), this.#options);
    groups.forEach((group, i) => {
      const piece = pieces[i]!;
      for (const { resolve, reject } of group) {
        if (piece instanceof Uint8Array) resolve(piece);
        else reject(piece.error);
      }
    });
  }
}
