/** So many lines go out in one write: one for each takes longer than making them. */
const LINES = 256;

/** Prints lines on standard output, many at a time. */
export class LineWriter implements Disposable {
  #lines: string[] = [];

  /** Adds a line. */
  line(text: string): void {
    this.#lines.push(text);
    if (this.#lines.length >= LINES) this.flush();
  }

  /** Prints what was added. */
  flush(): void {
    if (this.#lines.length > 0) console.log(this.#lines.join("\n"));
    this.#lines = [];
  }

  /** Prints what was added. */
  [Symbol.dispose](): void {
    this.flush();
  }
}
