import { untilAborted } from "../until_aborted.ts";

/** How long a line may run before the event loop gets a turn: for Ctrl-C, the monitor, timers. */
const TURN_MS = 20;

/** How long code that cannot wait may run before somebody else watches for Ctrl-C. */
const WATCHED_AFTER_MS = 150;

/** Tells of Ctrl-C while the event loop has no turn. */
export interface InterruptWatch {
  /** Starts to watch, if nobody does yet. */
  start(): void;
  /** True if Ctrl-C was pressed since the last time that this was asked. */
  takePressed(): boolean;
}

/** A line that runs. */
export interface RunningLine {
  readonly signal: AbortSignal;
  /** False as soon as it has ended; functions that it declared live on. */
  isRunning: boolean;
}

/** Gives the event loop its turns while typed code runs, and ends that code when it is cancelled. */
export class Turns {
  readonly #watch: InterruptWatch | undefined;
  #line: RunningLine = { signal: new AbortController().signal, isRunning: false };
  #lastTurn = 0;
  #count = 0;

  /** Watches for Ctrl-C in code that cannot wait by asking another. */
  constructor(watch?: InterruptWatch) {
    this.#watch = watch;
  }

  /** The line that runs, or ran last. */
  get current(): RunningLine {
    return this.#line;
  }

  /** A line begins. */
  begin(line: RunningLine): void {
    this.#line = line;
    this.#watch?.takePressed();
    this.#lastTurn = performance.now();
  }

  /** Says now and then that it is time to pause. */
  isDue(): boolean {
    return (++this.#count & 63) === 0 && performance.now() - this.#lastTurn > TURN_MS;
  }

  /** Gives the event loop a turn. */
  async pause(own: RunningLine): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    this.#lastTurn = performance.now();
    this.throwIfEnded(own);
  }

  /** Throws the reason if a line is to end: the one whose code this is, or the one that calls it. */
  throwIfEnded(own: RunningLine): void {
    this.#signalFor(own)?.throwIfAborted();
  }

  /** Looks for Ctrl-C in code that cannot wait. */
  check(own: RunningLine): void {
    if ((++this.#count & 1023) !== 0) return;
    this.throwIfEnded(own);
    if (!this.#watch || performance.now() - this.#lastTurn < WATCHED_AFTER_MS) return;
    this.#watch.start();
    if (this.#watch.takePressed()) throw new DOMException("Interrupted", "AbortError");
  }

  /** Waits for a promise, but not after the line is cancelled. */
  async wait<T>(own: RunningLine, promise: PromiseLike<T>): Promise<T> {
    const signal = this.#signalFor(own);
    const value = signal ? await untilAborted(signal, promise) : await promise;
    this.throwIfEnded(own);
    return value;
  }

  #signalFor(own: RunningLine): AbortSignal | undefined {
    if (own.isRunning) return own.signal;
    return this.#line.isRunning ? this.#line.signal : undefined;
  }
}
