import { BOOLEAN, checkOptions, MILLISECONDS, type OptionShape, SIGNAL } from "../core/options.ts";
import { type CommandJob, settleByReply } from "./_command_job.ts";
import { type CommandLimits, CommandQueue, LIMITS_SHAPE } from "./_command_queue.ts";
import { HmpWire, readGreeting } from "./_hmp_wire.ts";
import { NoSuchCpuError } from "./errors.ts";
import { encodeCommand, FramingError, ReplyFramer } from "./hmp_codec.ts";
import type { CommandOptions, Monitor } from "./monitor.ts";
import type { Transport } from "./transport.ts";

/** How a human monitor is talked to. */
export interface HmpClientOptions extends CommandLimits {
  /**
   * Milliseconds until the monitor must have sent its banner.
   *
   * @default {3000}
   */
  bannerTimeoutMs?: number;
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

/** The checks of {@linkcode HmpClientOptions}. */
export const HMP_CLIENT_SHAPE: OptionShape<HmpClientOptions> = {
  ...LIMITS_SHAPE,
  bannerTimeoutMs: MILLISECONDS,
  nudge: BOOLEAN,
  signal: SIGNAL,
};

/** What is sent in one packet at most: QEMU answers it in order, and round trips are what takes time. */
const MAX_BATCH = 16;
const MAX_BATCH_BYTES = 4096;

/**
 * QEMU's human monitor over a transport. Callers may overlap: commands that wait at the same time are
 * sent in one packet. The reply of a command that is aborted, late or too long is read to its end all the
 * same, so that no caller ever gets another's reply.
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
  readonly #queue: CommandQueue;
  #pumping: Promise<void> | null = null;

  private constructor(wire: HmpWire, qemuVersion: string, options: HmpClientOptions) {
    this.endpoint = wire.endpoint;
    this.qemuVersion = qemuVersion;
    this.#wire = wire;
    this.#queue = new CommandQueue(wire.endpoint, options, () => {
      this.#pumping ??= this.#pump();
    });
  }

  /**
   * Waits for the monitor's banner on an open transport. If it does not come, the transport is closed.
   *
   * @throws {NoBannerError} if the peer stays silent
   * @throws {WrongPeerError} if the peer is not a human monitor
   * @throws {ConnectionLostError} if the connection ends first
   */
  static async open(transport: Transport, options: HmpClientOptions = {}): Promise<HmpClient> {
    checkOptions(options, "the options of a connection", HMP_CLIENT_SHAPE);
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
  command(line: string, options: CommandOptions = {}): Promise<string> {
    return this.#queue.run(line, options);
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
    await Promise.resolve(); // Callers of the same moment come first.
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) {
      const [first] = batch;
      if (first!.cpu === undefined) await this.#performAll(batch);
      else await this.#performOnCpu(first!, first!.cpu);
    }
    // At once: a command that comes before the promise is settled would wait for ever.
    this.#pumping = null;
  }

  /** The commands to send next, in one packet; one that needs a vCPU goes alone. */
  #takeBatch(): CommandJob[] {
    const batch: CommandJob[] = [];
    let lengthBytes = 0;
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      lengthBytes += next.line.length;
      const alone = next.cpu !== undefined;
      const full = batch.length === MAX_BATCH || lengthBytes > MAX_BATCH_BYTES || alone;
      if (batch.length > 0 && full) break;
      batch.push(this.#queue.take()!);
      if (alone) break;
    }
    return batch;
  }

  async #performAll(batch: readonly CommandJob[]): Promise<void> {
    try {
      const packet = batch.map(({ line }) => encodeCommand(line));
      await this.#wire.write(packet.length === 1 ? packet[0]! : join(packet));
      let rest: Uint8Array | null = null;
      for (const [i, job] of batch.entries()) {
        const framer = new ReplyFramer(job.line, { followed: i < batch.length - 1 });
        rest = await this.#readReply(framer, job, rest);
        settleByReply(job, framer.text(), this);
        this.#queue.finish(job);
      }
    } catch (cause) {
      this.#end(this.#whyEnded(cause), cause);
    }
  }

  /** Over HMP a command's vCPU is a setting of this monitor that persists, so it is put back. */
  async #performOnCpu(job: CommandJob, cpu: number): Promise<void> {
    const exchange = async (line: string) => {
      if (this.#queue.ended) throw this.#queue.lost(line);
      const framer = new ReplyFramer(line);
      await this.#wire.write(encodeCommand(line));
      await this.#readReply(framer, job, null);
      return framer.text();
    };
    try {
      // Loaded only here: most commands are about no vCPU.
      const { runOnCpu } = await import("./_run_on_cpu.ts");
      settleByReply(job, await runOnCpu(exchange, job.line, cpu, this.endpoint), this);
    } catch (cause) {
      if (cause instanceof NoSuchCpuError) job.reject(cause);
      else this.#end(this.#whyEnded(cause), cause);
    }
    this.#queue.finish(job);
  }

  /**
   * Reads a reply to its end, whether the job still wants it or not, and returns what came behind it.
   *
   * @throws if there is no end to read to
   */
  async #readReply(
    framer: ReplyFramer,
    job: CommandJob,
    received: Uint8Array | null,
  ): Promise<Uint8Array> {
    for (let bytes = received;; bytes = null) {
      if (bytes === null) {
        bytes = await this.#wire.read();
        if (bytes === null) throw new EndOfStream();
      }
      const complete = framer.push(bytes);
      this.#queue.checkClock();
      this.#bound(framer, job);
      if (complete) return framer.rest;
      await this.#wire.nudge();
    }
  }

  /** Stops keeping a reply that is too long, or that nobody waits for. */
  #bound(framer: ReplyFramer, job: CommandJob): void {
    if (framer.lengthBytes > this.#queue.maxReplyBytes) job.reject(this.#queue.tooLarge(job.line));
    if (job.settled) framer.discard();
  }

  #whyEnded(cause: unknown): string {
    if (cause instanceof FramingError) {
      return `${this.endpoint} sent malformed monitor output (${cause.message}), so it was closed`;
    }
    const detail = cause instanceof EndOfStream || !(cause instanceof Error)
      ? ""
      : ` (${cause.message})`;
    return `the connection to ${this.endpoint} ended${detail}: QEMU quit or closed its monitor`;
  }

  /** Ends the connection, once; whoever waits is told why. */
  #end(why: string, cause?: unknown): void {
    if (this.#queue.end(why, cause)) this.#wire.close();
  }
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** The peer closed the connection. */
class EndOfStream extends Error {}
