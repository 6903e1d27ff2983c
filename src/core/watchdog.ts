/**
 * Calls back once when something has taken too long. It is started and stopped around each wait, so
 * both cost next to nothing: one timer serves many waits, and is set again only when it has fired
 * before the wait was due.
 *
 * It stands on `AbortSignal.timeout` since the first `setTimeout` of a process loads 6 ms worth of
 * modules in Deno 2.9, a quarter of what a whole check takes. Such a timer cannot be cancelled, but
 * without a listener it does not keep the process alive.
 */
export class Watchdog {
  readonly #onLate: () => void;
  readonly #onTimer = () => this.#fire();
  #timer: AbortSignal | null = null;
  #timerAt = Infinity;
  #due: number | null = null;

  /** Creates a stopped watchdog. */
  constructor(onLate: () => void) {
    this.#onLate = onLate;
  }

  /** Starts a wait of at most so many milliseconds, in place of the one under way. */
  start(waitMs: number): void {
    this.stop();
    this.#due = performance.now() + waitMs;
    if (this.#timer === null || this.#timerAt > this.#due) {
      this.#arm();
    } else {
      this.#timer.addEventListener("abort", this.#onTimer, { once: true });
    }
  }

  /**
   * Calls back if the wait is due. Timers get no turn while a loop reads from a peer that always has more
   * to say: Deno 2.9 lets 128 reads go by, so such a loop looks at the clock itself.
   */
  check(): void {
    if (this.#due === null || performance.now() < this.#due) return;
    this.stop();
    this.#onLate();
  }

  /** Ends the wait: nothing will be called. */
  stop(): void {
    this.#due = null;
    this.#timer?.removeEventListener("abort", this.#onTimer);
  }

  #arm(): void {
    const now = performance.now();
    // Timers count whole milliseconds: rounding up keeps the callback from coming early.
    const waitMs = Math.max(0, Math.ceil(this.#due! - now));
    this.#timerAt = now + waitMs;
    this.#timer = AbortSignal.timeout(Math.min(waitMs, 2 ** 31 - 1));
    this.#timer.addEventListener("abort", this.#onTimer, { once: true });
  }

  #fire(): void {
    this.#timer = null;
    if (this.#due === null) return;
    if (performance.now() < this.#due) return this.#arm();
    this.#due = null;
    this.#onLate();
  }
}
