import { Watchdog } from "../core/watchdog.ts";
import { CommandJob } from "./_command_job.ts";
import { readGreeting } from "./_hmp_greeting.ts";
import { HmpWire } from "./_hmp_wire.ts";
import { checkCommand } from "./allow_list.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import {
  ConnectionLostError,
  NoSuchCpuError,
  ReplyTimeoutError,
  ReplyTooLargeError,
} from "./errors.ts";
import { encodeCommand, FramingError, ReplyFramer } from "./hmp_codec.ts";
import type { CommandOptions, Monitor } from "./monitor.ts";
import { parseCpus } from "./parse/cpus.ts";
import { errorFromReply } from "./reply_errors.ts";
import { connectSocket } from "./socket_transport.ts";
import type { Transport } from "./transport.ts";

/** How a human monitor is talked to. */
export interface HmpClientOptions {
  /**
   * Milliseconds until the monitor must have sent its banner.
   *
   * @default {3000}
   */
  bannerTimeoutMs?: number;
  /**
   * Milliseconds until a reply must be complete, counted from when the command is first in the queue.
   * A command's own `timeoutMs` goes before it.
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
  /**
   * Whether received chunks are acknowledged at once by a byte that QEMU ignores. Without it a command
   * over TCP takes 44 ms instead of 0.2.
   *
   * @default {true} on TCP and telnet, else false
   */
  nudge?: boolean;
  /** Ends the attempt to connect with the signal's reason. */
  signal?: AbortSignal;
}

/** How a human monitor is connected to. */
export interface ConnectHmpOptions extends HmpClientOptions {
  /**
   * Milliseconds until the connection must stand.
   *
   * @default {5000}
   */
  connectTimeoutMs?: number;
}

/**
 * Connects to a human monitor (`-monitor tcp:127.0.0.1:1334,server=on,wait=off`).
 *
 * @throws {InvalidArgumentError} if the endpoint is none
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the peer stays silent, most often as another client holds the monitor
 * @throws {WrongPeerError} if the peer is no human monitor
 *
 * @example Usage
 * ```ts
 * import { connectHmp } from "@pagewalk/pagewalk";
 * import { fakeMonitor, simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using qemu = fakeMonitor(simulatedGuest());
 * await using monitor = await connectHmp(qemu.endpoint);
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * ```
 */
export async function connectHmp(
  endpoint: Endpoint | string,
  options: ConnectHmpOptions = {},
): Promise<HmpClient> {
  const { connectTimeoutMs = 5000, signal } = options;
  const transport = await connectSocket(
    typeof endpoint === "string" ? parseEndpoint(endpoint) : endpoint,
    { timeoutMs: connectTimeoutMs, ...(signal ? { signal } : {}) },
  );
  return await HmpClient.open(transport, options);
}

/**
 * QEMU's human monitor over a transport. Callers may overlap: one command is under way at a time. A
 * command that is aborted, late or too long leaves its reply to be read to the end before the next one
 * is sent, so that no caller ever gets another's reply.
 *
 * @example Over a transport of one's own
 * ```ts
 * import { HmpClient } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using monitor = await HmpClient.open(simulatedGuest().transport());
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * ```
 */
export class HmpClient implements Monitor {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  /** QEMU's version as its banner names it, such as `7.2.22`. */
  readonly qemuVersion: string;
  readonly #wire: HmpWire;
  readonly #commandTimeoutMs: number;
  readonly #maxReplyBytes: number;
  readonly #allowUnsafe: readonly string[];
  readonly #queue: CommandJob[] = [];
  /** Only the first caller that waits has a clock running, so one serves them all. */
  readonly #clock = new Watchdog(() => this.#timed?.reject(this.#late(this.#timed)));
  #timed: CommandJob | null = null;
  #active: CommandJob | null = null;
  #pumping: Promise<void> = Promise.resolve();
  #ended: { why: string; cause: unknown } | null = null;

  private constructor(wire: HmpWire, qemuVersion: string, options: HmpClientOptions) {
    this.endpoint = wire.endpoint;
    this.qemuVersion = qemuVersion;
    this.#wire = wire;
    this.#commandTimeoutMs = options.commandTimeoutMs ?? 30_000;
    this.#maxReplyBytes = options.maxReplyBytes ?? 64 * 1024 * 1024;
    this.#allowUnsafe = options.allowUnsafe ?? [];
  }

  /**
   * Waits for the monitor's banner on an open transport. If it does not come, the transport is closed.
   *
   * @throws {NoBannerError} if the peer stays silent
   * @throws {WrongPeerError} if the peer is no human monitor
   * @throws {ConnectionLostError} if the connection ends first
   */
  static async open(transport: Transport, options: HmpClientOptions = {}): Promise<HmpClient> {
    const wire = new HmpWire(transport, { nudge: options.nudge });
    const { bannerTimeoutMs: timeoutMs = 3000, signal } = options;
    return new HmpClient(wire, await readGreeting(wire, { timeoutMs, signal }), options);
  }

  /**
   * Runs one command and returns its text. With `cpu`, the monitor's vCPU is changed for this command
   * and put back.
   *
   * @throws {InvalidArgumentError} if the line is not one line of printable ASCII
   * @throws {CommandRefusedError} if the command is not on the read-only list
   * @throws {UnknownCommandError} if QEMU does not know it
   * @throws {NoSuchCpuError} if the guest has no such vCPU
   * @throws {ReplyTimeoutError} if the reply is not complete in time
   * @throws {ReplyTooLargeError} if the reply grows past the limit
   * @throws {ConnectionLostError} if the connection has ended, or ends
   */
  async command(line: string, options: CommandOptions = {}): Promise<string> {
    const allowUnsafe = [...this.#allowUnsafe, ...options.allowUnsafe ?? []];
    checkCommand(line, { endpoint: this.endpoint, allowUnsafe });
    options.signal?.throwIfAborted();
    if (this.#ended) throw this.#lost(line);
    const job = new CommandJob(line, {
      ...options,
      timeoutMs: options.timeoutMs ?? this.#commandTimeoutMs,
      onSettled: () => this.#startNextClock(),
    });
    this.#queue.push(job);
    if (this.#active === null) this.#pumping = this.#pump();
    this.#startNextClock();
    return await job.promise;
  }

  /** Ends the connection; commands that wait for a reply fail. May be called twice. */
  async close(): Promise<void> {
    this.#end(`the connection to ${this.endpoint} was closed`);
    await this.#pumping;
  }

  /** Ends the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs the queue until it is empty. Never rejects: each job gets its own outcome. */
  async #pump(): Promise<void> {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      if (job.settled) continue;
      this.#active = job;
      try {
        job.resolve(await this.#perform(job));
      } catch (error) {
        job.reject(error);
      }
    }
    this.#active = null;
  }

  async #perform(job: CommandJob): Promise<string> {
    const reply = job.cpu === undefined
      ? await this.#exchange(job.line, job)
      : await this.#exchangeOnCpu(job.cpu, job);
    const { endpoint, qemuVersion } = this;
    const error = errorFromReply(reply, { endpoint, qemuVersion, command: job.line });
    if (error !== null) throw error;
    return reply;
  }

  /** Over HMP a command's vCPU is a setting of this monitor that persists, so it is put back. */
  async #exchangeOnCpu(cpu: number, job: CommandJob): Promise<string> {
    const { endpoint } = this;
    const before = parseCpus(await this.#exchange("info cpus", job)).find((row) => row.current);
    if (job.settled || before?.cpu === cpu) return await this.#exchange(job.line, job);
    const refusal = await this.#exchange(`cpu ${cpu}`, job);
    if (refusal !== "") {
      const message = `The guest at ${endpoint} has no vCPU ${cpu}: "info cpus" lists those it has`;
      throw new NoSuchCpuError(cpu, message, { endpoint, command: job.line });
    }
    try {
      return await this.#exchange(job.line, job);
    } finally {
      if (this.#ended === null) await this.#exchange(`cpu ${before?.cpu ?? 0}`, null);
    }
  }

  /**
   * Sends a line and reads its reply to the end, whether the job still wants it or not.
   *
   * @throws {ConnectionLostError} if there is no end to read to
   */
  async #exchange(line: string, job: CommandJob | null): Promise<string> {
    try {
      await this.#wire.write(encodeCommand(line));
      return await this.#readReply(new ReplyFramer(line), job);
    } catch (cause) {
      this.#end(this.#whyEnded(cause), cause);
      throw this.#lost(line);
    }
  }

  async #readReply(framer: ReplyFramer, job: CommandJob | null): Promise<string> {
    for (;;) {
      const bytes = await this.#wire.read();
      if (bytes === null) throw new EndOfStream();
      const complete = framer.push(bytes);
      if (job !== null) this.#bound(framer, job);
      if (complete) return framer.text();
      await this.#wire.nudge();
    }
  }

  /** Stops keeping a reply that is too long, or that nobody waits for. */
  #bound(framer: ReplyFramer, job: CommandJob): void {
    const limit = this.#maxReplyBytes;
    if (framer.lengthBytes > limit) {
      job.reject(
        new ReplyTooLargeError(
          `The reply to "${job.line}" is longer than ${limit} bytes: ask for less, or raise maxReplyBytes`,
          limit,
          { endpoint: this.endpoint, command: job.line },
        ),
      );
    }
    if (job.settled) framer.discard();
  }

  #late(job: CommandJob): ReplyTimeoutError {
    const after = job === this.#active ? "" : ", as an earlier command's reply has not ended";
    return new ReplyTimeoutError(
      `No complete reply to "${job.line}" from ${this.endpoint} within ${job.timeoutMs} ms${after}: ` +
        `is QEMU stopped or busy? A longer timeoutMs waits longer`,
      job.timeoutMs,
      { endpoint: this.endpoint, command: job.line },
    );
  }

  #whyEnded(cause: unknown): string {
    if (cause instanceof FramingError) {
      return `${this.endpoint} answered what no monitor answers (${cause.message}), so it was closed`;
    }
    const detail = cause instanceof EndOfStream || !(cause instanceof Error)
      ? ""
      : ` (${cause.message})`;
    return `the connection to ${this.endpoint} ended${detail}: QEMU quit or closed its monitor`;
  }

  #lost(line: string): ConnectionLostError {
    return new ConnectionLostError(`No reply to "${line}": ${this.#ended?.why}`, {
      endpoint: this.endpoint,
      command: line,
      cause: this.#ended?.cause,
    });
  }

  /** Ends the connection, once; whoever waits is told why. */
  #end(why: string, cause?: unknown): void {
    if (this.#ended !== null) return;
    this.#ended = { why, cause };
    this.#wire.close();
    for (const job of [this.#active, ...this.#queue.splice(0)]) {
      job?.reject(this.#lost(job.line));
    }
  }

  #startNextClock(): void {
    const first = this.#active?.settled === false
      ? this.#active
      : this.#queue.find((job) => !job.settled) ?? null;
    if (first === this.#timed) return;
    this.#timed = first;
    if (first === null) this.#clock.stop();
    else this.#clock.start(first.timeoutMs);
  }
}

/** The peer closed the connection. */
class EndOfStream extends Error {}
