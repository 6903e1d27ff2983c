import { checkOptions, MILLISECONDS, type OptionShape, SIGNAL } from "../core/options.ts";
import { type CommandJob, plainLines, settleByRefusal, settleByReply } from "./_command_job.ts";
import { type CommandLimits, CommandQueue, LIMITS_SHAPE } from "./_command_queue.ts";
import { CommandSender } from "./_command_sender.ts";
import { EventLog } from "./_event_log.ts";
import { NumberedJobs } from "./_numbered_jobs.ts";
import { negotiateQmp } from "./_qmp_greeting.ts";
import { FramingError } from "./hmp_codec.ts";
import type { CommandOptions, Monitor } from "./monitor.ts";
import { encodeQmp, parseQmp, type QmpEvent, QmpFramer, type QmpLine } from "./qmp_codec.ts";
import type { Transport } from "./transport.ts";

/** How a QMP server is talked to. */
export interface QmpClientOptions extends CommandLimits {
  /**
   * Milliseconds until the server must have greeted and accepted us.
   *
   * @default {3000}
   */
  bannerTimeoutMs?: number;
  /** Ends the attempt to connect with the signal's reason. */
  signal?: AbortSignal;
}

/** The checks of {@linkcode QmpClientOptions}. */
export const QMP_CLIENT_SHAPE: OptionShape<QmpClientOptions> = {
  ...LIMITS_SHAPE,
  bannerTimeoutMs: MILLISECONDS,
  signal: SIGNAL,
};

/**
 * How many commands are on their way at once. QEMU handles one after the other; its queue has 8 places
 * (`QMP_REQ_QUEUE_LEN_MAX`, 5.2 to 11.1).
 */
const MAX_UNDER_WAY = 8;
/**
 * A byte that carries an acknowledgement and that JSON skips. Of several replies, or of one in pieces,
 * QEMU's kernel holds each next back until the one before is acknowledged (Nagle), and ours delays that
 * for 44 ms: five reads at once take 1 ms instead of 44 (seen with 7.2).
 */
const NUDGE = new Uint8Array([0x0a]);
/** What a line may hold besides the reply's text, whose characters are longer when escaped. */
const ENVELOPE_BYTES = 256;

/**
 * QEMU's machine protocol over a transport, as a monitor: commands go through `human-monitor-command`.
 * Callers may overlap; several commands are then under way at once, and replies find theirs by `id`. A
 * command that is aborted or late leaves its reply to be dropped when it comes.
 *
 * @example Over a transport of one's own
 * ```ts
 * import { QmpClient } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const transport = simulatedGuest().transport({ protocol: "qmp" });
 * await using monitor = await QmpClient.open(transport);
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * ```
 */
export class QmpClient implements Monitor {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  readonly #transport: Transport;
  readonly #queue: CommandQueue;
  readonly #sender: CommandSender;
  readonly #framer: QmpFramer;
  readonly #events = new EventLog();
  readonly #byId = new NumberedJobs();
  #qemuVersion = "";
  #eventReaders = 0;
  #reading: Promise<void> | null = null;

  private constructor(transport: Transport, options: QmpClientOptions) {
    this.endpoint = transport.name;
    this.#transport = transport;
    this.#queue = new CommandQueue(this.endpoint, options, () => this.#sender.send());
    this.#sender = new CommandSender(this.#queue, {
      maxUnderWay: MAX_UNDER_WAY,
      encode: (jobs) => jobs.map((job) => this.#encode(job)).join(""),
      write: async (packet) => {
        await transport.write(packet);
        this.#read();
      },
      onFailed: (cause) => this.#end(this.#whyEnded(cause), cause),
    });
    this.#framer = new QmpFramer(this.#queue.maxReplyBytes + ENVELOPE_BYTES);
  }

  /**
   * Waits for the server's greeting on an open transport and leaves negotiation mode. If that fails, the
   * transport is closed.
   *
   * @throws {NoBannerError} if the peer stays silent
   * @throws {WrongPeerError} if the peer is not a QMP server
   * @throws {ConnectionLostError} if the connection ends first
   */
  static async open(transport: Transport, options: QmpClientOptions = {}): Promise<QmpClient> {
    checkOptions(options, "the options of a connection", QMP_CLIENT_SHAPE);
    const client = new QmpClient(transport, options);
    try {
      client.#qemuVersion = await negotiateQmp(transport, client.#framer, {
        endpoint: client.endpoint,
        timeoutMs: options.bannerTimeoutMs ?? 3000,
        signal: options.signal,
        onEvent: (event, lengthBytes) => client.#events.add(event, lengthBytes),
      });
    } catch (error) {
      client.#end("the server did not greet", error);
      throw error;
    }
    return client;
  }

  /** QEMU's version as its greeting names it, such as `7.2.22`. */
  get qemuVersion(): string {
    return this.#qemuVersion;
  }

  /**
   * Runs one command of the human monitor and returns its text. With `cpu`, it runs on behalf of that
   * vCPU (`cpu-index`).
   *
   * @throws {InvalidArgumentError} if the line is not one line of printable ASCII
   * @throws {CommandRefusedError} if the command is not on the read-only list
   * @throws {UnknownCommandError} if QEMU does not know it
   * @throws {NoSuchCpuError} if the guest has no such vCPU
   * @throws {QmpError} if QEMU refuses in another way
   * @throws {ReplyTimeoutError} if the reply is not complete in time
   * @throws {ReplyTooLargeError} if the reply grows past the limit
   * @throws {ConnectionLostError} if the connection has ended, or ends
   */
  command(line: string, options: CommandOptions = {}): Promise<string> {
    return this.#queue.run(line, options);
  }

  /**
   * Yields QEMU's events: the last 256 that came since the connection was made (fewer if they are long:
   * of 1 MiB at most), then each as it comes, until the connection ends or the signal says so. Whoever
   * reads too slowly misses the oldest.
   */
  async *events(options: { signal?: AbortSignal } = {}): AsyncGenerator<QmpEvent, void> {
    this.#eventReaders++;
    this.#read();
    try {
      yield* this.#events.read(options.signal);
    } finally {
      this.#eventReaders--;
    }
  }

  /** Ends the connection; commands that wait for a reply fail. May be called twice. */
  async close(): Promise<void> {
    this.#end(`the connection to ${this.endpoint} was closed`);
    await Promise.all([this.#sender.sending, this.#reading]);
  }

  /** Ends the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #encode(job: CommandJob): string {
    return encodeQmp("human-monitor-command", this.#byId.add(job), {
      "command-line": job.line,
      ...job.cpu !== undefined && { "cpu-index": job.cpu },
    });
  }

  #read(): void {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null;
      // Somebody may have come before the promise was settled.
      if (this.#hasReaders) this.#read();
    });
  }

  get #hasReaders(): boolean {
    return !this.#queue.ended && (this.#queue.underWay > 0 || this.#eventReaders > 0);
  }

  /** Reads as long as there is somebody to read for. Never rejects: each job gets its own outcome. */
  async #readAll(): Promise<void> {
    try {
      while (this.#hasReaders) {
        const bytes = await this.#transport.read();
        if (bytes === null) return void this.#end(this.#whyEnded(null));
        for (const line of this.#framer.push(bytes)) this.#take(line);
        this.#queue.checkClock();
        // Replies come in order, so what overflows is the oldest one's.
        const { oldest } = this.#queue;
        if (this.#framer.overflowing) oldest?.reject(this.#queue.tooLarge(oldest.line));
        if (this.#queue.peek() !== undefined) this.#sender.send();
        else if (this.#queue.underWay > 0) await this.#nudge();
      }
    } catch (cause) {
      this.#end(this.#whyEnded(cause), cause);
    }
  }

  /** On TCP only: elsewhere nothing is held back. A command that is being sent does as well. */
  async #nudge(): Promise<void> {
    if (this.#transport.isTcp && this.#sender.sending === null) {
      await this.#transport.write(NUDGE);
    }
  }

  #take(line: QmpLine): void {
    if ("tooLong" in line) {
      const job = this.#jobOf(line.id ?? this.#byId.oldest);
      return job.reject(this.#queue.tooLarge(job.line));
    }
    const message = parseQmp(line.text);
    switch (message.kind) {
      case "event":
        return this.#events.add(message.event, line.text.length);
      case "return":
        if (typeof message.value !== "string") throw new FramingError("a reply that is not text");
        return settleByReply(this.#jobOf(message.id), plainLines(message.value), this);
      case "error":
        return settleByRefusal(this.#jobOf(message.id), message, this);
      case "greeting":
        throw new FramingError("a second greeting");
    }
  }

  /** The command that an id stands for; its reply is then at its end. */
  #jobOf(id: number | null): CommandJob {
    // QEMU leaves the id out only where it could not read one, which ours always are.
    const job = id === null ? undefined : this.#byId.take(id);
    if (job === undefined) throw new FramingError(`a reply to the unknown id ${id}`);
    this.#queue.finish(job);
    return job;
  }

  #whyEnded(cause: unknown): string {
    if (cause instanceof FramingError) {
      return `${this.endpoint} answered what no QMP server answers (${cause.message}), so it was closed`;
    }
    const detail = cause instanceof Error ? ` (${cause.message})` : "";
    return `the connection to ${this.endpoint} ended${detail}: QEMU quit or closed its QMP server`;
  }

  #end(why: string, cause?: unknown): void {
    if (!this.#queue.end(why, cause)) return;
    this.#byId.clear();
    this.#events.end();
    this.#transport.close();
  }
}
