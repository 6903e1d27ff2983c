import type { CommandOptions } from "./monitor.ts";

/** What a job needs from the client that runs it. */
export interface CommandJobHooks {
  /** Makes the error for a reply that is late. */
  late(job: CommandJob): Error;
  /** Called once, when the job has its result. */
  settled(): void;
}

/** One caller's command: its place in the queue, its clock and its promise. */
export class CommandJob {
  /** The line to send. */
  readonly line: string;
  /** The vCPU to run it on, or undefined for the monitor's current one. */
  readonly cpu: number | undefined;
  /** How long the reply may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What the caller waits for. */
  readonly promise: Promise<string>;
  readonly #hooks: CommandJobHooks;
  readonly #signal: AbortSignal | undefined;
  readonly #outcome = Promise.withResolvers<string>();
  readonly #onAbort = (): void => this.reject(this.#signal!.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settled = false;

  constructor(
    line: string,
    options: CommandOptions & { timeoutMs: number },
    hooks: CommandJobHooks,
  ) {
    this.line = line;
    this.cpu = options.cpu;
    this.timeoutMs = options.timeoutMs;
    this.promise = this.#outcome.promise;
    this.#hooks = hooks;
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** True once the caller has its answer; what still arrives is for nobody. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Starts the clock, unless it runs: the job is now the first in the queue. */
  startClock(): void {
    if (this.#settled || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.reject(this.#hooks.late(this)), this.timeoutMs);
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
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    queueMicrotask(() => this.#hooks.settled());
    return true;
  }
}
