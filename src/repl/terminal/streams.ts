import * as events from "node:events";

import { size } from "./size.ts";
import { writeOut } from "./write.ts";

/**
 * Standard output as `node:readline` wants it. `process.stdout` would do, but loading it takes longer
 * than all else that a prompt needs.
 */
export class TerminalOutput extends events.EventEmitter {
  /** How wide the terminal is now. */
  get columns(): number {
    return size().columns;
  }

  /** How high the terminal is now. */
  get rows(): number {
    return size().rows;
  }

  /** Writes at once. */
  write(text: string): boolean {
    writeOut(text);
    return true;
  }
}

/** A source of key presses for `node:readline`, fed by hand. */
export class KeySource extends events.EventEmitter {
  /** There is nothing to pause. */
  pause(): this {
    return this;
  }

  /** There is nothing to resume. */
  resume(): this {
    return this;
  }
}
