/**
 * What QEMU's line editor answers to each key (`util/readline.c`): a printable character repaints the
 * line, a line end runs it, everything else that the client sends is ignored.
 */
export class LineEditor {
  #line = "";
  #painted = 0;

  /** Types one key; returns the echo, and the line if the key ended it. */
  type(code: number): { echo: string; line: string | null } {
    if (code === 0x0a) {
      const line = this.#line;
      this.#line = "";
      this.#painted = 0;
      return { echo: "\r\n", line };
    }
    if (code < 0x20 || code > 0x7e) return { echo: "", line: null };
    this.#line += String.fromCharCode(code);
    const echo = "\x1b[D".repeat(this.#painted) + this.#line + "\x1b[K";
    this.#painted = this.#line.length;
    return { echo, line: null };
  }
}

/** The whole echo of a line, its line end included. */
export function echoOf(line: string, typedAhead = ""): string {
  const editor = new LineEditor();
  for (const character of typedAhead) editor.type(character.charCodeAt(0));
  return Array.from(`${line}\n`, (character) => editor.type(character.charCodeAt(0)).echo).join("");
}
