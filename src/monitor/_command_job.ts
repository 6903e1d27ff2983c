import type { CommandOptions } from "./monitor.ts";

/** What a job needs to know of the client that runs it. */
export interface CommandJobOptions extends CommandOptions {
  /**
   * What goes over the wire for the line.
   *
   * @default the line itself
   */
  wire?: string;
  /** How long the reply may take once the job is the first that waits, in milliseconds. */
  timeoutMs: number;
  /** Called once, soon after the job has got its result. */
  onSettled(): void;
}

/** One caller's command: what to send, and the promise that waits for it. */
export class CommandJob {
  /** The line as the caller gave it, for errors. */
  readonly line: string;
  /** What goes over the wire for it. */
  readonly wire: string;
  /** The vCPU to run it on, or undefined for the monitor's current one. */
  readonly cpu: number | undefined;
  /** How long the reply may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly #outcome = Promise.withResolvers<string>();
  readonly #onSettled: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.reject(this.#signal!.reason);
  #settled = false;

  constructor(line: string, options: CommandJobOptions) {
    this.line = line;
    this.wire = options.wire ?? line;
    this.cpu = options.cpu;
    this.timeoutMs = options.timeoutMs;
    this.#onSettled = options.onSettled;
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** What the caller waits for. */
  get promise(): Promise<string> {
    return this.#outcome.promise;
  }

  /** True once the caller has its answer; what still arrives is for nobody. */
  get settled(): boolean {
    return this.#settled;
  }

  resolve(text: string): void {
    if (this.#settle()) this.#outcome.resolve(text);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#outcome.reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onSettled();
    return true;
  }
}
