import { formatError } from "../core/errors.ts";
import type { CommandJob } from "../monitor/_command_job.ts";
import { type CommandLimits, CommandQueue } from "../monitor/_command_queue.ts";
import { CommandSender } from "../monitor/_command_sender.ts";
import { NumberedJobs } from "../monitor/_numbered_jobs.ts";
import { plainLines, settleByRefusal, settleByReply } from "../monitor/_settle.ts";
import { formatEndpoint } from "../monitor/endpoint/mod.ts";
import { ConnectionLostError, type MonitorError } from "../monitor/errors.ts";
import type { CommandOptions, Monitor } from "../monitor/monitor.ts";
import { parseQmp, type QmpLine } from "../monitor/qmp_codec.ts";
import { connectErrorFrom, type DomainEndpoint } from "./_connect_errors.ts";
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
/** How virsh tells that there is nobody left to ask (9.0). */
const CONNECTION_GONE =
  /not running|failed to get domain|[Dd]isconnected|socket is closed|[Ee]nd of file/;

/** The monitor of a libvirt domain, through one `virsh` that is kept open. */
export class LibvirtClient implements Monitor {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #queue: CommandQueue;
  readonly #sender: CommandSender;
  readonly #output: VirshOutput;
  readonly #byNumber = new NumberedJobs();
  readonly #ended: Promise<unknown>;
  #qemuVersion = "";

  private constructor(
    endpoint: DomainEndpoint,
    child: Deno.ChildProcess,
    limits: CommandLimits,
  ) {
    this.endpoint = formatEndpoint(endpoint);
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#queue = new CommandQueue(this.endpoint, limits, () => this.#sender.send());
    this.#sender = new CommandSender(this.#queue, {
      maxUnderWay: MAX_UNDER_WAY,
      encode: (jobs) =>
        jobs.map((job) => encodeVirsh(endpoint.domain, job.wire, this.#byNumber.add(job))).join(""),
      write: (lines) => this.#input.write(lines),
      onFailed: async (cause) => {
        // virsh has gone: what it said last is still to be read.
        await this.#ended;
        this.#end(`virsh ended: ${formatError(cause)}`, cause);
      },
    });
    this.#output = new VirshOutput(
      this.#queue.maxReplyBytes + ENVELOPE_BYTES,
      (answer) => this.#take(answer),
    );
    this.#ended = Promise.all([
      this.#read(child.stdout, (bytes) => this.#takeOutput(bytes)),
      this.#read(child.stderr, (bytes) => this.#output.pushError(bytes)),
    ]).then(() => this.#end(`virsh ended: ${this.#output.pendingErrors || "libvirt closed it"}`));
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
      const wire = JSON.stringify({ execute: "query-version" });
      const version = await client.#queue.enqueue("query-version", bounds, wire);
      const { major, minor, micro } = JSON.parse(version).qemu;
      client.#qemuVersion = [major, minor, micro].join(".");
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
        ...options.cpu !== undefined && { "cpu-index": options.cpu },
      },
    });
    return this.#queue.run(line, options, wire);
  }

  /** Ends virsh; commands that wait for a reply fail. May be called twice. */
  async close(): Promise<void> {
    this.#end(`the connection to ${this.endpoint} was closed`);
    await Promise.all([this.#sender.sending, this.#ended, this.#child.status]);
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void) {
    try {
      for await (const bytes of stream) take(bytes);
    } catch (cause) {
      this.#end(`virsh said what it never says: ${formatError(cause)}`, cause);
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
    this.#queue.finish(job);
    if ("error" in answer) job.reject(this.#errorOf(job, answer.error));
    else this.#answer(job, answer.line);
  }

  #answer(job: CommandJob, line: QmpLine): void {
    if ("tooLong" in line) return job.reject(this.#queue.tooLarge(job.line));
    const message = parseQmp(line.text);
    switch (message.kind) {
      case "return": {
        const { value } = message;
        // Only what is asked of QMP itself is answered with something else than text.
        if (typeof value !== "string") return job.resolve(JSON.stringify(value));
        return settleByReply(job, plainLines(value), this);
      }
      case "error":
        return settleByRefusal(job, message, this);
      default:
        return job.reject(this.#queue.failed(job.line, line.text));
    }
  }

  #errorOf(job: CommandJob, error: string): MonitorError {
    const { endpoint } = this;
    if (!CONNECTION_GONE.test(error)) return this.#queue.failed(job.line, error);
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
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
  }
}
