import { size } from "./size.ts";
import { writeOut } from "./write.ts";

/** How long a command may be silent before it is said that it goes on. */
const SILENT_MS = 1_000;
const EVERY_MS = 500;

// ECMA-48 EL.
const ERASE_LINE = "\r\x1b[K";

/**
 * A line that says that a command goes on and how far it is, while it prints nothing. It is gone as soon
 * as there is something to print.
 */
export class ProgressLine {
  readonly #paint: (text: string) => string;
  #timer: ReturnType<typeof setInterval> | undefined;
  #startedAt = 0;
  #note = "";
  #isShown = false;

  /** Makes a line that is painted so. */
  constructor(paint: (text: string) => string) {
    this.#paint = paint;
  }

  /** A command begins. */
  begin(): void {
    this.end();
    this.#startedAt = performance.now();
    this.#note = "";
    this.#timer = setInterval(() => this.#draw(), EVERY_MS);
  }

  /** What the command has done so far. */
  note(text: string): void {
    this.#note = text;
  }

  /** The command has something to print, or has ended. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#isShown) writeOut(ERASE_LINE);
    this.#isShown = false;
  }

  #draw(): void {
    const passedMs = performance.now() - this.#startedAt;
    if (passedMs < SILENT_MS) return;
    const text = `… ${Math.floor(passedMs / 1000)} s${
      this.#note && `, ${this.#note}`
    }; Ctrl-C ends it`;
    this.#isShown = true;
    writeOut(`${ERASE_LINE}${this.#paint(text.slice(0, size().columns - 1))}`);
  }
}
