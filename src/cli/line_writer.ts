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

/** So many lines of one kind are read by nobody to the end; `--json` has all. */
const SHOWN = 100;

/**
 * Prints the first hundred of lines that may be without number, and says at the end how many more there
 * were.
 *
 * @example Usage
 * ```ts
 * import { LimitedLines } from "@pagewalk/pagewalk/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const printed: string[] = [];
 * {
 *   using lines = new LimitedLines((line) => printed.push(line));
 *   for (let i = 0; i < 150; i++) lines.line(`[-] page ${i}`);
 * }
 * assertEquals(printed.at(-1), "    … and 50 more, which --json names");
 * ```
 */
export class LimitedLines implements Disposable {
  readonly #print: (line: string) => void;
  #count = 0;

  /** Prints on standard output, unless told otherwise. */
  constructor(print: (line: string) => void = console.log) {
    this.#print = print;
  }

  /** Prints a line, or counts it. */
  line(text: string): void {
    if (this.#count++ < SHOWN) this.#print(text);
  }

  /** Says how many were not printed. */
  [Symbol.dispose](): void {
    if (this.#count > SHOWN) {
      this.#print(`    … and ${this.#count - SHOWN} more, which --json names`);
    }
    this.#count = 0;
  }
}
