import type { CommandJob } from "./_command_job.ts";
import type { CommandQueue } from "./_command_queue.ts";

/** What a client must say about how it sends. */
export interface CommandSenderOptions {
  /** How many commands may be under way at once. */
  maxUnderWay: number;
  /** Returns what sends these commands, which were taken together; there is at least one. */
  encode(jobs: readonly CommandJob[]): string;
  /** Sends it, and sees to it that the replies are read. */
  write(packet: Uint8Array): Promise<void>;
  /** Called if that fails; whoever waits must then be told. */
  onFailed(cause: unknown): void | Promise<void>;
}

/**
 * Sends the commands that wait, as far as there is room for them on the way. What was asked for together
 * goes in one packet, since round trips are what takes time.
 */
export class CommandSender {
  readonly #queue: CommandQueue;
  readonly #options: CommandSenderOptions;
  #sending: Promise<void> | null = null;

  constructor(queue: CommandQueue, options: CommandSenderOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  /** What is being sent at this moment, or null; never rejects. */
  get sending(): Promise<void> | null {
    return this.#sending;
  }

  /** Begins to send what waits, unless that goes on already. */
  send(): void {
    this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    await Promise.resolve(); // Callers of the same moment come first.
    try {
      for (let jobs = this.#take(); jobs.length > 0; jobs = this.#take()) {
        await this.#options.write(encoder.encode(this.#options.encode(jobs)));
      }
    } catch (cause) {
      await this.#options.onFailed(cause);
    } finally {
      // At once: a command that comes before the promise is settled would wait for ever.
      this.#sending = null;
    }
  }

  #take(): CommandJob[] {
    const jobs: CommandJob[] = [];
    while (this.#queue.underWay < this.#options.maxUnderWay) {
      const job = this.#queue.take();
      if (job === undefined) break;
      jobs.push(job);
    }
    return jobs;
  }
}

const encoder = new TextEncoder();
