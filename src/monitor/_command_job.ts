import type { CommandOptions } from "./monitor.ts";
import {
  type MonitorError,
  type MonitorErrorOptions,
  NoSuchCpuError,
  QmpError,
  UnknownCommandError,
} from "./errors.ts";
import type { QmpMessage } from "./qmp_codec.ts";

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

/** Who answers. */
export interface AnswerOrigin {
  /** What the client is connected to, as a user would type it. */
  endpoint: string;
  /** QEMU's version, or empty if it announced none. */
  qemuVersion: string;
}

/** QMP's refusal of a command. */
export type QmpRefusal = Extract<QmpMessage, { kind: "error" }>;

/** Returns the monitor's text with the line ends of this side, and without the last. */
export function plainLines(text: string): string {
  const lines = text.replaceAll("\r\n", "\n");
  return lines.endsWith("\n") ? lines.slice(0, -1) : lines;
}

/** Gives a caller the monitor's reply, or the error that its text stands for. */
export function settleByReply(job: CommandJob, reply: string, origin: AnswerOrigin): void {
  const { endpoint, qemuVersion } = origin;
  const error = errorFromReply(reply, { endpoint, qemuVersion, command: job.line });
  if (error === null) job.resolve(reply);
  else job.reject(error);
}

/** Gives a caller the error that a refusal stands for. QMP tells of an unknown vCPU by the argument's name. */
export function settleByRefusal(job: CommandJob, refusal: QmpRefusal, origin: AnswerOrigin): void {
  const { endpoint } = origin;
  const { line: command, cpu } = job;
  if (cpu === undefined || !/'cpu-index'/.test(refusal.description)) {
    return job.reject(qmpError(command, refusal, endpoint));
  }
  const message = `The guest at ${endpoint} has no vCPU ${cpu}: "info cpus" lists those it has`;
  job.reject(new NoSuchCpuError(cpu, message, { endpoint, command }));
}

/** The error of a command that QEMU refuses. */
export function qmpError(command: string, refusal: QmpRefusal, endpoint: string): QmpError {
  const { qmpClass, description } = refusal;
  const message = `QEMU at ${endpoint} refused "${command}": ${description} (${qmpClass})`;
  return new QmpError(qmpClass, description, message, { endpoint, command });
}

/** Whose reply it is. */
export interface ReplyOrigin extends MonitorErrorOptions {
  /** The command that was sent. */
  command: string;
  /** QEMU's version, or empty if it announced none. */
  qemuVersion: string;
}

/**
 * Returns the error that a reply's text stands for, or null. QEMU answers an unknown command with
 * ordinary text, over HMP and QMP alike: `unknown command: 'foo'` (5.2 to 11.1). Below `info` it quotes
 * the line, with the blank that may stand before it.
 */
export function errorFromReply(reply: string, origin: ReplyOrigin): MonitorError | null {
  const name = /^unknown command: ' *([^'\n]*)'$/.exec(reply.trimEnd())?.[1];
  if (name === undefined) return null;
  const qemu = origin.qemuVersion === "" ? "This QEMU" : `QEMU ${origin.qemuVersion}`;
  return new UnknownCommandError(
    origin.qemuVersion,
    `${qemu} at ${origin.endpoint} has no monitor command "${name}": "help" lists those it has`,
    origin,
  );
}
