import { activity } from "./activity.ts";
import type { ListProgress } from "../translate/listing.ts";

/** What a {@linkcode ProgressBar} shows. */
export interface ProgressState {
  /** How much is done, 0 to 1. */
  readonly fraction: number;
  /** What is being done, in a few words. */
  readonly text: string;
}

/** The part of `cli-progress` that is used. */
interface Bar {
  start(total: number, startValue: number, payload: { text: string }): void;
  update(value: number, payload: { text: string }): void;
  stop(): void;
}

/** Work that ends sooner needs no bar. */
const DELAY_MS = 500;
const STEPS = 1000;

/**
 * A progress bar on standard error, for work that turns out to take long. Nothing is shown before half
 * a second, nor where standard error is not a terminal.
 */
export class ProgressBar implements Disposable {
  readonly #started = performance.now();
  readonly #enabled = Deno.stderr.isTerminal();
  #bar: Bar | null = null;
  #goneAgain: (() => void) | null = null;
  #state: ProgressState = { fraction: 0, text: "" };
  #phase: "waiting" | "loading" | "shown" | "stopped" = "waiting";

  /** Says how far the work has come. Costs next to nothing, so call it often. */
  update(state: ProgressState): void {
    this.#state = state;
    if (this.#phase === "shown") return this.#show();
    if (!this.#enabled || this.#phase !== "waiting") return;
    if (performance.now() - this.#started < DELAY_MS) return;
    this.#phase = "loading";
    void this.#load();
  }

  /** Returns what follows a listing: it says how many tables or pages there were so far. */
  counting(what: "tables" | "pages"): (progress: ListProgress) => void {
    return (progress) =>
      this.update({ fraction: progress.fraction, text: `${progress[what]} ${what}` });
  }

  /** Takes the bar away. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
    this.#goneAgain?.();
    this.#goneAgain = null;
    this.#phase = "stopped";
  }

  /** Takes the bar away. */
  [Symbol.dispose](): void {
    this.stop();
  }

  async #load(): Promise<void> {
    // Loaded only here: a check that takes no time is not to pay for it.
    const { default: cliProgress } = await import("cli-progress");
    if (this.#phase !== "loading") return; // The work ended meanwhile.
    const options = {
      format: "{bar} {percentage}% {text}",
      barsize: 30,
      clearOnComplete: true,
      hideCursor: true,
    };
    this.#goneAgain = activity.yieldTo();
    this.#bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic);
    this.#bar.start(STEPS, 0, { text: this.#state.text });
    this.#phase = "shown";
    this.#show();
  }

  #show(): void {
    const { fraction, text } = this.#state;
    this.#bar?.update(Math.floor(fraction * STEPS), { text });
  }
}
