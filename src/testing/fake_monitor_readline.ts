/** What one received byte brings about. */
export interface ReadlineStep {
  /** What is echoed, one character a byte (latin1). */
  echo: string;
  /** The line that the byte completed, or null. */
  command: string | null;
}

/** The line buffer of QEMU's readline: what is typed past it is dropped without an echo. */
const LINE_BYTES = 4095;
const NOTHING: ReadlineStep = { echo: "", command: null };

/**
 * QEMU's line editor, as far as a program meets it (seen in QEMU 5.2 to 11.1): every typed character
 * is echoed with the whole line so far, CR and LF each end a line, and other control bytes print
 * nothing. Moving the cursor, the history and completion are left out.
 */
export class HmpReadline {
  #line = "";
  #shown = "";
  #escape = false;
  #sequence = false;

  /** Takes one byte. */
  accept(byte: number): ReadlineStep {
    if (this.#sequence) {
      this.#sequence = byte < 0x40;
      return NOTHING;
    }
    if (this.#escape) {
      this.#escape = false;
      this.#sequence = byte === OPEN_BRACKET;
      return NOTHING;
    }
    switch (byte) {
      case LF:
      case CR:
        return this.#end();
      case ESC:
        this.#escape = true;
        return NOTHING;
      case BACKSPACE:
      case DELETE:
        return this.#show(this.#line.slice(0, -1));
      case CTRL_W:
        return this.#show(this.#line.replace(/\S*\s*$/, ""));
    }
    if (byte < SPACE || this.#line.length >= LINE_BYTES) return NOTHING;
    return this.#show(this.#line + String.fromCharCode(byte));
  }

  #show(line: string): ReadlineStep {
    if (line === this.#shown) return NOTHING;
    const echo = `${"\x1b[D".repeat(this.#shown.length)}${line}\x1b[K`;
    this.#line = line;
    this.#shown = line;
    return { echo, command: null };
  }

  #end(): ReadlineStep {
    const command = this.#line;
    this.#line = "";
    this.#shown = "";
    return { echo: "\r\n", command };
  }
}

const LF = 0x0a;
const CR = 0x0d;
const ESC = 0x1b;
const BACKSPACE = 0x08;
const DELETE = 0x7f;
const CTRL_W = 0x17;
const SPACE = 0x20;
const OPEN_BRACKET = 0x5b;
