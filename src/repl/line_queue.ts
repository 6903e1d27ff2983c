/** How long to wait for a line that only might be there: a program may wait for the answer to the last. */
const PEEK_MS = 10;

/** Lines one after the other, of which the next may be looked at. */
export class LineQueue {
  readonly #lines: AsyncIterator<string>;
  #pending: Promise<IteratorResult<string>> | null = null;

  /** Reads these lines. */
  constructor(lines: AsyncIterable<string>) {
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** The next line; undefined at the end. */
  async next(): Promise<string | undefined> {
    const { done, value } = await this.#head();
    this.#pending = null;
    return done ? undefined : value;
  }

  /** The line after, without taking it; undefined if there is none yet. */
  async peek(): Promise<string | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) =>
      timer = setTimeout(() => resolve(undefined), PEEK_MS)
    );
    try {
      const found = await Promise.race([this.#head(), late]);
      return found === undefined || found.done ? undefined : found.value;
    } finally {
      clearTimeout(timer);
    }
  }

  #head(): Promise<IteratorResult<string>> {
    return this.#pending ??= this.#lines.next();
  }
}
