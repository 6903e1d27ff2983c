import type { InterruptWatch } from "../evaluate/runtime/turns.ts";

/**
 * What the watcher runs, in a thread of its own: signals reach it while the prompt's own event loop has
 * no turn. As a data: URL it needs no permission.
 */
const WATCHER = `onmessage = ({ data }) => {
  Deno.addSignalListener("SIGINT", () => {
    if (Atomics.add(data, 0, 1) !== 1) return;
    const text = "\\r\\nThis code cannot be interrupted: Ctrl-\\\\ ends the prompt\\r\\n";
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  });
};`;

/**
 * Tells of Ctrl-C while code runs that gives the event loop no turn: a loop in a constructor, a getter,
 * a callback of another library. It is not started before such code has run for a moment: Deno clears
 * the terminal's line when a thread loads its program, and with it a prompt that stands there.
 */
export class InterruptFlag implements InterruptWatch, Disposable {
  readonly #pressed = new Int32Array(new SharedArrayBuffer(4));
  #watcher: Worker | null = null;

  /** Starts to watch, if nobody does yet. */
  start(): void {
    if (this.#watcher) return;
    const source = `data:text/javascript,${encodeURIComponent(WATCHER)}`;
    this.#watcher = new Worker(source, { type: "module" });
    this.#watcher.postMessage(this.#pressed);
  }

  /** True if Ctrl-C was pressed since the last time that this was asked. */
  takePressed(): boolean {
    return Atomics.exchange(this.#pressed, 0, 0) > 0;
  }

  /** Ends the watcher. */
  [Symbol.dispose](): void {
    this.#watcher?.terminate();
  }
}
