import { Watchdog } from "../core/watchdog.ts";
import type { CommandJob } from "./_command_job.ts";
import { type CommandLimits, CommandQueue } from "./_command_queue.ts";
import { EventLog } from "./_event_log.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
import {
  ConnectionLostError,
  MonitorError,
  NoBannerError,
  NoSuchCpuError,
  QmpError,
  WrongPeerError,
} from "./errors.ts";
import { FramingError } from "./hmp_codec.ts";
import type { CommandOptions, Monitor } from "./monitor.ts";
import { encodeQmp, parseQmp, type QmpEvent, QmpFramer, type QmpLine } from "./qmp_codec.ts";
import { errorFromReply } from "./reply_errors.ts";
import { connectSocket } from "./socket_transport.ts";
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

/** How a QMP server is connected to. */
export interface ConnectQmpOptions extends QmpClientOptions {
  /**
   * Milliseconds until the connection must stand.
   *
   * @default {5000}
   */
  connectTimeoutMs?: number;
}

/**
 * Connects to a QMP server (`-qmp tcp:127.0.0.1:4444,server=on,wait=off`).
 *
 * @param endpoint `qmp:4444`, `qmp:HOST:PORT`, `qmp:unix:/path`; `qmp:` may be left out
 * @throws {InvalidArgumentError} if the endpoint is none
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the peer stays silent, most often as another client holds the server
 * @throws {WrongPeerError} if the peer is no QMP server
 *
 * @example Usage
 * ```ts
 * import { connectQmp } from "@pagewalk/pagewalk";
 * import { fakeMonitor, simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using qemu = fakeMonitor(simulatedGuest(), { protocol: "qmp" });
 * await using monitor = await connectQmp(qemu.endpoint);
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * ```
 */
export async function connectQmp(
  endpoint: Endpoint | string,
  options: ConnectQmpOptions = {},
): Promise<QmpClient> {
  const { connectTimeoutMs = 5000, signal } = options;
  const parsed = typeof endpoint === "string" ? parseEndpoint(endpoint) : endpoint;
  const named: Endpoint = parsed.scheme === "tcp" || parsed.scheme === "unix"
    ? { scheme: "qmp", socket: parsed }
    : parsed;
  const transport = await connectSocket(named, {
    timeoutMs: connectTimeoutMs,
    ...signal && { signal },
  });
  return await QmpClient.open(transport, options);
}

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
/** Far more than a greeting has, which is 170 bytes long (7.2). */
const MAX_GREETING_BYTES = 64 * 1024;
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
  readonly #framer: QmpFramer;
  readonly #events = new EventLog();
  readonly #byId = new Map<number, CommandJob>();
  #qemuVersion = "";
  #hasGreeted = false;
  #lastId = 0;
  #eventReaders = 0;
  #sending: Promise<void> | null = null;
  #reading: Promise<void> | null = null;

  private constructor(transport: Transport, options: QmpClientOptions) {
    this.endpoint = formatEndpoint(transport.endpoint);
    this.#transport = transport;
    this.#queue = new CommandQueue(this.endpoint, options, () => this.#send());
    this.#framer = new QmpFramer(this.#queue.maxReplyBytes + ENVELOPE_BYTES);
  }

  /**
   * Waits for the server's greeting on an open transport and leaves negotiation mode. If that fails, the
   * transport is closed.
   *
   * @throws {NoBannerError} if the peer stays silent
   * @throws {WrongPeerError} if the peer is no QMP server
   * @throws {ConnectionLostError} if the connection ends first
   */
  static async open(transport: Transport, options: QmpClientOptions = {}): Promise<QmpClient> {
    const client = new QmpClient(transport, options);
    await client.#negotiate(options.bannerTimeoutMs ?? 3000, options.signal);
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
    await Promise.all([this.#sending, this.#reading]);
  }

  /** Ends the connection, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #negotiate(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { endpoint } = this;
    let late = false;
    let begun = false;
    const giveUp = () => this.#transport.close(); // Ends the pending read.
    const clock = new Watchdog(() => {
      late = true;
      giveUp();
    });
    clock.start(timeoutMs);
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      signal?.throwIfAborted();
      for (let accepted = false; !accepted;) {
        const bytes = await this.#transport.read();
        if (bytes === null) throw new ConnectionLostError(`${endpoint} closed`, { endpoint });
        if (!begun && bytes.length > 0) requireBrace(bytes, endpoint);
        begun ||= bytes.length > 0;
        for (const line of this.#framer.push(bytes)) accepted ||= await this.#greeted(line);
        const { pendingBytes } = this.#framer;
        if (pendingBytes > MAX_GREETING_BYTES) throw new FramingError("a greeting without end");
        clock.check();
      }
    } catch (error) {
      this.#end("the server did not greet", error);
      signal?.throwIfAborted();
      if (error instanceof WrongPeerError || error instanceof QmpError) throw error;
      if (error instanceof FramingError) throw wrongPeer(endpoint, "unknown", error.message);
      if (late) throw lateError(endpoint, begun, timeoutMs);
      const detail = error instanceof MonitorError || !(error instanceof Error)
        ? ""
        : ` (${error.message})`;
      throw new ConnectionLostError(
        `${endpoint} closed the connection before it had greeted${detail}: is it a QMP server?`,
        { endpoint, cause: error },
      );
    } finally {
      clock.stop();
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Takes one line of the negotiation; true once commands may be sent. */
  async #greeted(line: QmpLine): Promise<boolean> {
    if (!("text" in line)) throw new FramingError("a greeting without end");
    const message = parseQmp(line.text);
    if (message.kind === "event") {
      this.#events.add(message.event, line.text.length);
      return false;
    }
    const isGreeting = message.kind === "greeting";
    if (isGreeting === this.#hasGreeted) {
      throw new FramingError(isGreeting ? "a second greeting" : "a reply before the greeting");
    }
    switch (message.kind) {
      case "greeting":
        this.#hasGreeted = true;
        this.#qemuVersion = message.qemuVersion;
        await this.#transport.write(ascii(encodeQmp("qmp_capabilities", this.#lastId)));
        return false;
      case "error":
        throw this.#qmpError("qmp_capabilities", message.qmpClass, message.description);
      case "return":
        return true;
    }
  }

  /** Sends what waits, as far as there is room: what was asked for together goes in one packet. */
  #send(): void {
    this.#sending ??= this.#sendAll().finally(() => this.#sending = null);
  }

  async #sendAll(): Promise<void> {
    await Promise.resolve(); // Callers of the same moment come first.
    try {
      while (this.#queue.underWay < MAX_UNDER_WAY && this.#queue.peek() !== undefined) {
        let packet = "";
        while (this.#queue.underWay < MAX_UNDER_WAY) {
          const job = this.#queue.take();
          if (job === undefined) break;
          const id = ++this.#lastId;
          this.#byId.set(id, job);
          packet += encodeQmp("human-monitor-command", id, {
            "command-line": job.line,
            ...job.cpu !== undefined && { "cpu-index": job.cpu },
          });
        }
        await this.#transport.write(ascii(packet));
        this.#read();
      }
    } catch (cause) {
      this.#end(this.#whyEnded(cause), cause);
    }
  }

  #read(): void {
    this.#reading ??= this.#readAll().finally(() => this.#reading = null);
  }

  /** Reads as long as there is somebody to read for. Never rejects: each job gets its own outcome. */
  async #readAll(): Promise<void> {
    try {
      while (!this.#queue.ended && (this.#queue.underWay > 0 || this.#eventReaders > 0)) {
        const bytes = await this.#transport.read();
        if (bytes === null) return void this.#end(this.#whyEnded(null));
        for (const line of this.#framer.push(bytes)) this.#take(line);
        this.#queue.checkClock();
        // Replies come in order, so what overflows is the oldest one's.
        const { oldest } = this.#queue;
        if (this.#framer.overflowing) oldest?.reject(this.#queue.tooLarge(oldest.line));
        if (this.#queue.peek() !== undefined) this.#send();
        else if (this.#queue.underWay > 0) await this.#nudge();
      }
    } catch (cause) {
      this.#end(this.#whyEnded(cause), cause);
    }
  }

  /** On TCP only: elsewhere nothing is held back. A command that is being sent does as well. */
  async #nudge(): Promise<void> {
    const { endpoint } = this.#transport;
    const socket = endpoint.scheme === "qmp" ? endpoint.socket : endpoint;
    if (socket.scheme === "tcp" && this.#sending === null) await this.#transport.write(NUDGE);
  }

  #take(line: QmpLine): void {
    if ("tooLong" in line) {
      const [oldest = null] = this.#byId.keys();
      const job = this.#jobOf(line.id ?? oldest);
      return job.reject(this.#queue.tooLarge(job.line));
    }
    const message = parseQmp(line.text);
    switch (message.kind) {
      case "event":
        return this.#events.add(message.event, line.text.length);
      case "return":
        if (typeof message.value !== "string") throw new FramingError("a reply that is no text");
        return this.#answer(this.#jobOf(message.id), message.value);
      case "error": {
        const job = this.#jobOf(message.id);
        const { qmpClass, description } = message;
        const isCpu = /'cpu-index'/.test(description) && job.cpu !== undefined;
        return job.reject(
          isCpu ? this.#noSuchCpu(job) : this.#qmpError(job.line, qmpClass, description),
        );
      }
      case "greeting":
        throw new FramingError("a second greeting");
    }
  }

  #answer(job: CommandJob, text: string): void {
    const { endpoint, qemuVersion } = this;
    const lines = text.replaceAll("\r\n", "\n");
    const reply = lines.endsWith("\n") ? lines.slice(0, -1) : lines;
    const error = errorFromReply(reply, { endpoint, qemuVersion, command: job.line });
    if (error !== null) job.reject(error);
    else job.resolve(reply);
  }

  /** The command that an id stands for; its reply is then at its end. */
  #jobOf(id: number | null): CommandJob {
    // QEMU leaves the id out only where it could not read one, which ours always are.
    const job = id === null ? undefined : this.#byId.get(id);
    if (job === undefined) throw new FramingError(`a reply to the unknown id ${id}`);
    this.#byId.delete(id!);
    this.#queue.finish(job);
    return job;
  }

  #noSuchCpu(job: CommandJob): NoSuchCpuError {
    const { endpoint } = this;
    const message =
      `The guest at ${endpoint} has no vCPU ${job.cpu}: "info cpus" lists those it has`;
    return new NoSuchCpuError(job.cpu!, message, { endpoint, command: job.line });
  }

  #qmpError(command: string, qmpClass: string, description: string): QmpError {
    const { endpoint } = this;
    const message = `QEMU at ${endpoint} refused "${command}": ${description} (${qmpClass})`;
    return new QmpError(qmpClass, description, message, { endpoint, command });
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

/** QMP's first byte is a brace; a human monitor's or a gdbstub's is not. */
function requireBrace(bytes: Uint8Array, endpoint: string): void {
  if (bytes[0] === "{".charCodeAt(0)) return;
  const text = new TextDecoder("latin1").decode(bytes);
  const peer = text.startsWith("QEMU ") ? "HMP" : /^[+-]*\$/.test(text) ? "gdbstub" : "unknown";
  throw wrongPeer(endpoint, peer, `it says ${JSON.stringify(text.slice(0, 40))}`);
}

function wrongPeer(endpoint: string, peer: string, detail: string): WrongPeerError {
  const advice = peer === "HMP"
    ? `this is a human monitor, so leave out the "qmp:"`
    : "use the address that QEMU was given with -qmp";
  return new WrongPeerError(peer, `${endpoint} is no QMP server (${detail}): ${advice}`, {
    endpoint,
  });
}

function lateError(endpoint: string, begun: boolean, timeoutMs: number): NoBannerError {
  const what = begun
    ? `began to greet but was not ready within ${timeoutMs} ms: QEMU is busy, so try again or wait longer`
    : `accepted the connection but sent no QMP greeting within ${timeoutMs} ms: another client ` +
      "probably holds it, as libvirt does, and a QMP server serves one at a time (give QEMU a second -qmp)";
  return new NoBannerError(`${endpoint} ${what}`, timeoutMs, { endpoint });
}

const encoder = new TextEncoder();

function ascii(text: string): Uint8Array {
  return encoder.encode(text);
}
