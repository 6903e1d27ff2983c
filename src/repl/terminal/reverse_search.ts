/** A search backwards through earlier lines, as Ctrl-R starts it. Knows nothing of terminals. */
export class ReverseSearch {
  readonly #lines: readonly string[];
  #query = "";
  #at = -1;
  #failed = false;

  /** Searches lines of which the newest comes first. */
  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  /** The line found, or an empty one. */
  get line(): string {
    return this.#lines[this.#at] ?? "";
  }

  /** Where in the line the text was found, counted from 0. */
  get cursor(): number {
    return Math.max(0, this.line.lastIndexOf(this.#query));
  }

  /** What stands in front of the line while searching. */
  get prompt(): string {
    return `(${this.#failed ? "failed " : ""}reverse-i-search)\`${this.#query}': `;
  }

  /** Adds to the text searched for. The line at hand stays if it still fits. */
  type(text: string): void {
    this.#query += text;
    this.#find(Math.max(this.#at, 0), 1);
  }

  /** Takes the last character of the text back, and searches from the newest line again. */
  erase(): void {
    this.#query = [...this.#query].slice(0, -1).join("");
    this.#at = -1;
    this.#failed = false;
    if (this.#query !== "") this.#find(0, 1);
  }

  /** Goes on to an older line that fits, or back to a newer one; the same text is shown only once. */
  next(direction: "older" | "newer"): void {
    if (this.#query === "") return;
    const step = direction === "older" ? 1 : -1;
    let from = this.#at + step;
    while (this.#lines[from] !== undefined && this.#lines[from] === this.line) from += step;
    this.#find(from, step);
  }

  #find(from: number, step: 1 | -1): void {
    for (let at = from; at >= 0 && at < this.#lines.length; at += step) {
      if (this.#lines[at]!.includes(this.#query)) {
        this.#at = at;
        this.#failed = false;
        return;
      }
    }
    this.#failed = true;
  }
}
