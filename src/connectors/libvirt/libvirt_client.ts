import { given } from "../../core/options.ts";
import { formatError } from "../../core/errors.ts";
import { Watchdog } from "../../core/watchdog.ts";
import {
  type CommandJob,
  plainLines,
  settleByRefusal,
  settleByReply,
} from "../../monitor/_command_job.ts";
import { type CommandLimits, CommandQueue } from "../../monitor/_command_queue.ts";
import { CommandSender } from "../../monitor/_command_sender.ts";
import { NumberedJobs } from "../../monitor/_numbered_jobs.ts";
import { ConnectionLostError, type MonitorError } from "../../monitor/errors.ts";
import { FramingError } from "../../monitor/hmp_codec.ts";
import type { CommandOptions, Monitor } from "../../monitor/monitor.ts";
import { parseQmp, type QmpLine } from "../../monitor/qmp_codec.ts";
import { connectErrorFrom } from "./_connect_errors.ts";
import { type DomainEndpoint, formatDomain } from "./endpoint.ts";
import { startVirsh } from "./_start_virsh.ts";
import { encodeVirsh, type VirshAnswer, VirshOutput } from "./virsh_output.ts";

/** How a domain of libvirt's is talked to. */
export interface LibvirtClientOptions extends CommandLimits {
  /**
   * Milliseconds until virsh must have answered for the first time. Where libvirtd has to be started, or
   * waits for services that are not there, that may take half a minute.
   *
   * @default {60_000}
   */
  connectTimeoutMs?: number;
  /** Ends the attempt to connect with the signal's reason. */
  signal?: AbortSignal;
}

/** What is sent ahead of its answers; virsh runs one line after the other. */
const MAX_UNDER_WAY = 16;
/** What a line may hold besides the reply's text, whose characters are longer when escaped. */
const ENVELOPE_BYTES = 256;
const VERSION_QUERY = "query-version";
/** How long virsh may take to end when it is told to, before it is made to. */
const KILL_AFTER_MS = 2000;

/** virsh's words for a domain, a QEMU or a libvirtd that has gone (seen with 9.0). */
const LOST = new RegExp(
  "not running|no longer running|failed to get domain|domain not found|disconnected|socket is closed|end of file|" +
    "failed to (?:re)?connect|connection (?:reset|refused)|broken pipe|" +
    "unable to (?:read from|write to) monitor",
  "i",
);

/** The monitor of a libvirt domain, through one `virsh` that is kept open. */
export class LibvirtClient implements Monitor {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  readonly #domain: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #queue: CommandQueue;
  readonly #sender: CommandSender;
  readonly #output: VirshOutput;
  readonly #readers: readonly ReadableStreamDefaultReader<Uint8Array>[];
  readonly #byNumber = new NumberedJobs();
  readonly #ended: Promise<unknown>;
  #qemuVersion = "";

  private constructor(
    endpoint: DomainEndpoint,
    child: Deno.ChildProcess,
    limits: CommandLimits,
  ) {
    this.endpoint = formatDomain(endpoint);
    this.#domain = endpoint.domain;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#queue = new CommandQueue(this.endpoint, limits, () => this.#sender.send());
    this.#sender = new CommandSender(this.#queue, {
      maxUnderWay: MAX_UNDER_WAY,
      encode: (jobs) => jobs.map((job) => this.#encode(job)).join(""),
      write: (lines) => this.#input.write(lines),
      onFailed: async (cause) => {
        // virsh has gone: what it said last is still to be read.
        await this.#ended;
        this.#end(`${this.#whyEnded()} (${formatError(cause)})`, cause);
      },
    });
    this.#output = new VirshOutput(
      this.#queue.maxReplyBytes + ENVELOPE_BYTES,
      (answer) => this.#take(answer),
    );
    const [stdout, stderr] = [child.stdout.getReader(), child.stderr.getReader()];
    this.#readers = [stdout, stderr];
    this.#ended = Promise.all([
      this.#read(stdout, (bytes) => this.#takeOutput(bytes)),
      this.#read(stderr, (bytes) => this.#output.pushError(bytes)),
    ]).then(() => this.#end(this.#whyEnded()));
  }

  /**
   * Starts `virsh` and asks the domain's QEMU for its version. Needs `--allow-run=virsh`.
   *
   * @throws {ConnectError} if there is no virsh, no such domain, no permission, or no libvirtd
   */
  static async open(
    endpoint: DomainEndpoint,
    options: LibvirtClientOptions = {},
  ): Promise<LibvirtClient> {
    const { connectTimeoutMs: timeoutMs = 60_000, signal } = options;
    signal?.throwIfAborted();
    const client = new LibvirtClient(endpoint, await startVirsh(endpoint), options);
    try {
      const bounds = { timeoutMs, ...signal && { signal } };
      const wire = JSON.stringify({ execute: VERSION_QUERY });
      client.#qemuVersion = await client.#queue.enqueue(VERSION_QUERY, bounds, wire);
      return client;
    } catch (error) {
      await client.close();
      signal?.throwIfAborted();
      throw connectErrorFrom(error, endpoint, timeoutMs);
    }
  }

  /** QEMU's version, such as `7.2.22`. */
  get qemuVersion(): string {
    return this.#qemuVersion;
  }

  /**
   * Runs one command of the human monitor and returns its text. With `cpu`, it runs on behalf of that
   * vCPU.
   *
   * @throws {CommandRefusedError} if the command is not on the read-only list
   * @throws {NoSuchCpuError} if the guest has no such vCPU
   * @throws {MonitorError} if the connection fails, closes, or the reply is late or too large
   */
  command(line: string, options: CommandOptions = {}): Promise<string> {
    const wire = JSON.stringify({
      execute: "human-monitor-command",
      arguments: {
        "command-line": line,
        ...given({ "cpu-index": options.cpu }),
      },
    });
    return this.#queue.run(line, options, wire);
  }

  /** Ends virsh; commands that wait for a reply fail. May be called twice. */
  async close(): Promise<void> {
    this.#end(`the connection to ${this.endpoint} was closed`);
    await Promise.all([this.#sender.sending, this.#ended, this.#gone()]);
  }

  /** Waits until virsh is no more. */
  async #gone(): Promise<void> {
    const clock = new Watchdog(() => this.#kill("SIGKILL"));
    clock.start(KILL_AFTER_MS);
    await this.#child.status;
    clock.stop();
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #encode(job: CommandJob): string {
    const number = this.#byNumber.add(job);
    this.#output.sent(number);
    return encodeVirsh(this.#domain, job.wire, number);
  }

  #whyEnded(): string {
    const said = this.#output.pendingErrors;
    return said === ""
      ? `virsh for ${this.endpoint} ended without a word: is libvirtd running?`
      : `virsh ended: ${said}`;
  }

  async #read(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    take: (bytes: Uint8Array) => void,
  ): Promise<void> {
    try {
      for (let next; !(next = await reader.read()).done;) {
        if (!this.#queue.ended) take(next.value);
        this.#queue.checkClock();
      }
    } catch (cause) {
      this.#end(`virsh sent malformed output: ${formatError(cause)}`, cause);
    }
  }

  #takeOutput(bytes: Uint8Array): void {
    this.#output.pushOutput(bytes);
    const { oldest } = this.#queue;
    if (this.#output.overflowing) oldest?.reject(this.#queue.tooLarge(oldest.line));
    if (this.#queue.peek() !== undefined) this.#sender.send();
  }

  #take(answer: VirshAnswer): void {
    const job = this.#byNumber.take(answer.number);
    if (job === undefined) return;
    if ("error" in answer) job.reject(this.#errorOf(job, answer.error));
    else this.#answer(job, answer.line);
    // Last, so that one whose answer is none ends with the connection.
    this.#queue.finish(job);
  }

  #answer(job: CommandJob, line: QmpLine): void {
    if ("tooLong" in line) return job.reject(this.#queue.tooLarge(job.line));
    const message = parseQmp(line.text);
    switch (message.kind) {
      case "return": {
        const { value } = message;
        if (job.line === VERSION_QUERY) return this.#answerVersion(job, value);
        if (typeof value !== "string") throw new FramingError("a reply that is not text");
        return settleByReply(job, plainLines(value), this);
      }
      case "error":
        return settleByRefusal(job, message, this);
      default:
        throw new FramingError("neither a reply nor an error");
    }
  }

  #answerVersion(job: CommandJob, value: unknown): void {
    const { qemu } = value as { qemu?: Partial<Record<string, unknown>> } ?? {};
    const parts = [qemu?.major, qemu?.minor, qemu?.micro];
    if (!parts.every(Number.isInteger)) throw new FramingError("a malformed version");
    job.resolve(parts.join("."));
  }

  #errorOf(job: CommandJob, error: string): MonitorError {
    const { endpoint } = this;
    if (!LOST.test(error)) return this.#queue.failed(job.line, error || "virsh gives no reason");
    return new ConnectionLostError(`No reply to "${job.line}" from ${endpoint}: ${error}`, {
      endpoint,
      command: job.line,
    });
  }

  #end(why: string, cause?: unknown): void {
    if (!this.#queue.end(why, cause)) return;
    this.#byNumber.clear();
    // It may have ended by itself, with what was to be written still waiting.
    this.#input.abort().catch(() => {});
    // What it has started, such as ssh, may hold the streams open when it is gone.
    for (const reader of this.#readers) reader.cancel().catch(() => {});
    this.#kill("SIGTERM");
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
  }
}
