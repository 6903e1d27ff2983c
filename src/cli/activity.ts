/** What takes longer without a word looks as if it hung. */
const SILENCE_MS = 1000;
const EVERY_MS = 250;
const CLEAR_LINE = "\r\x1b[K";

const encoder = new TextEncoder();

/**
 * Shows on a terminal that a script is at work, and with what, once it has printed nothing for a second.
 * The line is on standard error, goes away before anything is printed, and is never shown where standard
 * error is not a terminal.
 */
class Activity {
  #text = "working";
  #since = 0;
  #isShown = false;
  #timer: ReturnType<typeof setInterval> | null = null;
  /** Progress bars show the same, and better. */
  #bars = 0;

  /** Begins to show it; the result ends that. */
  start(): Disposable {
    if (this.#timer !== null || !Deno.stderr.isTerminal()) return { [Symbol.dispose]() {} };
    this.#since = performance.now();
    const restore = [this.#clearBefore("log"), this.#clearBefore("error")];
    this.#timer = setInterval(() => this.#show(), EVERY_MS);
    return {
      [Symbol.dispose]: () => {
        clearInterval(this.#timer!);
        this.#timer = null;
        for (const undo of restore) undo();
        this.#clear();
      },
    };
  }

  /** Says what is being done, in a few words. Costs next to nothing, so call it often. */
  say(text: string): void {
    this.#text = text;
  }

  /** Makes way for a progress bar; the result ends that. */
  yieldTo(): () => void {
    this.#bars++;
    this.#clear();
    return () => {
      this.#bars--;
      this.#since = performance.now();
    };
  }

  #show(): void {
    const silentMs = performance.now() - this.#since;
    if (this.#bars > 0 || silentMs < SILENCE_MS) return;
    this.#isShown = true;
    this.#write(`${CLEAR_LINE}… ${Math.floor(silentMs / 1000)} s: ${this.#text}`);
  }

  #clear(): void {
    if (this.#isShown) this.#write(CLEAR_LINE);
    this.#isShown = false;
  }

  #clearBefore(name: "log" | "error"): () => void {
    const print = console[name];
    console[name] = (...args: unknown[]) => {
      this.#clear();
      this.#since = performance.now();
      print(...args);
    };
    return () => console[name] = print;
  }

  #write(text: string): void {
    Deno.stderr.writeSync(encoder.encode(text));
  }
}

/** What the script that runs is at. */
export const activity: Activity = new Activity();

/**
 * Passes items on, and says on a terminal that takes longer how many there were.
 *
 * @example Usage
 * ```ts
 * import { counted } from "@pagewalk/pagewalk/cli";
 *
 * async function* pages() {
 *   yield 0x1000n;
 * }
 * for await (const page of counted(pages(), "pages judged")) console.assert(page === 0x1000n);
 * ```
 */
export async function* counted<T>(
  items: AsyncIterable<T>,
  what: string,
  total?: number,
): AsyncGenerator<T, void> {
  let count = 0;
  const of = total === undefined ? "" : ` of ${total}`;
  for await (const item of items) {
    activity.say(`${++count}${of} ${what}`);
    yield item;
  }
}
