import { given, LIST, MILLISECONDS, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import { Watchdog } from "../core/watchdog.ts";
import { CommandJob } from "./_command_job.ts";
import { checkCommand } from "./allow_list.ts";
import {
  ConnectionLostError,
  MonitorError,
  ReplyTimeoutError,
  ReplyTooLargeError,
} from "./errors.ts";
import { checkCommandOptions, type CommandOptions } from "./monitor.ts";

/** How a client bounds its commands. */
export interface CommandLimits {
  /**
   * Milliseconds until a reply must be complete, counted from when no earlier command of this client
   * waits for its own. A command's own `timeoutMs` goes before it.
   *
   * @default {30_000}
   */
  commandTimeoutMs?: number;
  /**
   * The longest reply that is taken, in bytes.
   *
   * @default {67_108_864}
   */
  maxReplyBytes?: number;
  /**
   * Names of commands that may be sent although they are not on the read-only list, such as `"stop"`.
   *
   * @default {[]}
   */
  allowUnsafe?: readonly string[];
}

/** The checks of {@linkcode CommandLimits}. */
export const LIMITS_SHAPE: OptionShape<CommandLimits> = {
  commandTimeoutMs: MILLISECONDS,
  maxReplyBytes: wholeNumberFrom(1),
  allowUnsafe: LIST,
};

/**
 * What every monitor client does with the commands of its callers: check them, keep them in order, time
 * the first that waits, and tell all of them when the connection ends. How a reply is known is the
 * client's business.
 */
export class CommandQueue {
  /** What the client is connected to, as a user would type it. */
  readonly endpoint: string;
  /** The longest reply that is taken, in bytes. */
  readonly maxReplyBytes: number;
  readonly #commandTimeoutMs: number;
  readonly #allowUnsafe: readonly string[];
  readonly #onWaiting: () => void;
  readonly #waiting: CommandJob[] = [];
  /** Taken, and the reply is not read to its end; oldest first. */
  readonly #underWay = new Set<CommandJob>();
  /** Only the first caller that waits has a clock running, so one serves them all. */
  readonly #clock = new Watchdog(() => this.#timed?.reject(this.#late(this.#timed)));
  #timed: CommandJob | null = null;
  #ended: { why: string; cause: unknown } | null = null;
  #leaving: { why: string; cause: unknown } | null = null;

  /** Creates an empty queue; `onWaiting` is called whenever a command has joined it. */
  constructor(endpoint: string, limits: CommandLimits, onWaiting: () => void) {
    this.endpoint = endpoint;
    this.maxReplyBytes = limits.maxReplyBytes ?? 64 * 1024 * 1024;
    this.#commandTimeoutMs = limits.commandTimeoutMs ?? 30_000;
    this.#allowUnsafe = limits.allowUnsafe ?? [];
    this.#onWaiting = onWaiting;
  }

  /** True once the connection has ended, for whatever reason. */
  get ended(): boolean {
    return this.#ended !== null;
  }

  /** The first command that waits and is not settled, without taking it. */
  peek(): CommandJob | undefined {
    while (this.#waiting[0]?.settled) this.#waiting.shift();
    return this.#waiting[0];
  }

  /** How many replies are still to be read to their end. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** The command whose reply comes next, where replies come in order. */
  get oldest(): CommandJob | undefined {
    const [oldest] = this.#underWay;
    return oldest;
  }

  /**
   * Checks a command against the read-only list, queues it and waits for its reply. `wire` is what is
   * sent for it, if that is not the line.
   */
  async run(line: string, options: CommandOptions, wire?: string): Promise<string> {
    checkCommandOptions(options);
    const allowUnsafe = [...this.#allowUnsafe, ...options.allowUnsafe ?? []];
    checkCommand(line, { endpoint: this.endpoint, allowUnsafe });
    return await this.enqueue(line, options, wire);
  }

  /** Queues what is not a command of a user's and waits for its reply. */
  async enqueue(line: string, options: CommandOptions, wire?: string): Promise<string> {
    options.signal?.throwIfAborted();
    if (this.#ended || this.#leaving) throw this.lost(line);
    return await this.#add(line, options, wire);
  }

  /** As {@linkcode enqueue}, and also after {@linkcode leave}: for what ends a connection in good order. */
  async enqueueLast(line: string, options: CommandOptions, wire?: string): Promise<string> {
    if (this.#ended) throw this.lost(line);
    return await this.#add(line, options, wire);
  }

  #add(line: string, options: CommandOptions, wire?: string): Promise<string> {
    const job = new CommandJob(line, {
      ...options,
      ...given({ wire }),
      timeoutMs: options.timeoutMs ?? this.#commandTimeoutMs,
      onSettled: () => this.#startNextClock(),
    });
    this.#waiting.push(job);
    this.#onWaiting();
    this.#startNextClock();
    return job.promise;
  }

  /** Has a command that is late told so now, where timers may get no turn. */
  checkClock(): void {
    this.#clock.check();
  }

  /** Takes the first command that waits, to be sent now. */
  take(): CommandJob | undefined {
    const job = this.peek();
    if (job === undefined) return undefined;
    this.#waiting.shift();
    this.#underWay.add(job);
    return job;
  }

  /** Notes that a command's reply has been read to its end. */
  finish(job: CommandJob): void {
    this.#underWay.delete(job);
    this.#startNextClock();
  }

  /**
   * Tells whoever waits that the connection is about to end, and takes no more commands. What has been sent
   * still has its reply read.
   */
  leave(why: string): void {
    this.#leaving ??= { why, cause: undefined };
    for (const job of [...this.#underWay, ...this.#waiting.splice(0)]) {
      job.reject(this.lost(job.line));
    }
  }

  /** Ends the connection, once; whoever waits is told why. Returns false if it had ended before. */
  end(why: string, cause?: unknown): boolean {
    if (this.#ended !== null) return false;
    this.#ended = { why, cause };
    for (const job of [...this.#underWay, ...this.#waiting.splice(0)]) {
      job.reject(this.lost(job.line));
    }
    return true;
  }

  /** The error of a command that gets no reply since the connection ended. */
  lost(line: string): ConnectionLostError {
    const ended = this.#ended ?? this.#leaving;
    return new ConnectionLostError(`No reply to "${line}": ${ended?.why}`, {
      endpoint: this.endpoint,
      command: line,
      cause: ended?.cause,
    });
  }

  /** The error of a command that the peer did not carry out. */
  failed(line: string, why: string): MonitorError {
    const message = `${this.endpoint} did not run "${line}": ${why}`;
    return new MonitorError(message, { endpoint: this.endpoint, command: line });
  }

  /** The error of a command whose reply grew past the limit. */
  tooLarge(line: string): ReplyTooLargeError {
    const limit = this.maxReplyBytes;
    return new ReplyTooLargeError(
      `The reply to "${line}" is longer than ${limit} bytes: ask for less, or raise maxReplyBytes`,
      limit,
      { endpoint: this.endpoint, command: line },
    );
  }

  #late(job: CommandJob): ReplyTimeoutError {
    const after = job === this.oldest ? "" : ", as an earlier command's reply has not ended";
    return new ReplyTimeoutError(
      `No complete reply to "${job.line}" from ${this.endpoint} within ${job.timeoutMs} ms${after}: ` +
        `is QEMU stopped or busy? A longer timeoutMs waits longer`,
      job.timeoutMs,
      { endpoint: this.endpoint, command: job.line },
    );
  }

  #startNextClock(): void {
    const first = this.#firstUnsettled();
    if (first === this.#timed) return;
    this.#timed = first;
    if (first === null) this.#clock.stop();
    else this.#clock.start(first.timeoutMs);
  }

  #firstUnsettled(): CommandJob | null {
    for (const job of this.#underWay) if (!job.settled) return job;
    return this.peek() ?? null;
  }
}
