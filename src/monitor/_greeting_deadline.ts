import { Watchdog } from "../core/watchdog.ts";

/** How long a greeting may take. */
export interface GreetingBounds {
  /** Milliseconds until it must be complete. */
  timeoutMs: number;
  /** Ends the wait as well. */
  signal?: AbortSignal | undefined;
}

/**
 * Closes a connection whose greeting takes too long or is no longer waited for, which ends the pending
 * read. It lasts as long as its scope.
 */
export class GreetingDeadline implements Disposable {
  readonly #clock: Watchdog;
  readonly #signal: AbortSignal | undefined;
  readonly #close: () => void;
  #late = false;

  constructor(close: () => void, { timeoutMs, signal }: GreetingBounds) {
    this.#close = close;
    this.#signal = signal;
    this.#clock = new Watchdog(() => {
      this.#late = true;
      close();
    });
    this.#clock.start(timeoutMs);
    signal?.addEventListener("abort", close, { once: true });
  }

  /** True if the time was up. */
  get late(): boolean {
    return this.#late;
  }

  /** Looks at the clock: a peer that floods lets no timer run. */
  check(): void {
    this.#clock.check();
  }

  [Symbol.dispose](): void {
    this.#clock.stop();
    this.#signal?.removeEventListener("abort", this.#close);
  }
}
