import { checkOptions, LIST } from "../../core/options.ts";
import { checkCommand } from "../allow_list.ts";
import { openEndpointFile } from "../endpoint_file.ts";
import { ConnectionLostError } from "../errors.ts";
import { checkCommandOptions, type CommandOptions, type Monitor } from "../monitor.ts";
import { NotRecordedError, RecordingError } from "./errors.ts";
import { RecordedMemory } from "./recorded_memory.ts";
import { reviveError } from "./recorded_error.ts";
import { parseRecording, type RecordedExchange, type Recording } from "./recording.ts";

/** What a replay may be asked. */
export interface ReplayOptions {
  /**
   * Names of commands that may be asked although they are not on the read-only list.
   *
   * @default {[]}
   */
  allowUnsafe?: readonly string[];
}

/** A text cannot be longer than 2^29 - 24 characters (V8). */
const MAX_RECORDING_BYTES = 2 ** 29 - 24;

/**
 * Opens a recording as a monitor: what was answered then is answered now, without a guest.
 *
 * @throws {ConnectError} if the file is not there or may not be read
 * @throws {RecordingError} if it is not a recording
 */
export async function openReplay(
  path: string,
  options: ReplayOptions = {},
): Promise<ReplayMonitor> {
  const name = `replay:${path}`;
  using file = await openEndpointFile(path, name);
  const { size } = await file.stat();
  if (size > MAX_RECORDING_BYTES) {
    throw new RecordingError(
      `${path} has ${size} bytes, and a recording of at most ${MAX_RECORDING_BYTES} is read: ` +
        "record less in one session",
      path,
    );
  }
  const text = await new Response(file.readable).text();
  return new ReplayMonitor(parseRecording(text, path), name, options);
}

/**
 * A monitor that answers from a recording. A command that was asked several times gets its replies in
 * their order, and the last one from then on: the guest stays as it was when the recording ended. Memory
 * that was recorded may be asked for in other pieces.
 *
 * @example Usage
 * ```ts
 * import { NotRecordedError, parseRecording, ReplayMonitor } from "@pagewalk/pagewalk";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const recording = parseRecording(
 *   '{"pagewalk":"recording","version":1,"qemuVersion":"7.2.22","endpointKind":"tcp"}\n' +
 *     '{"command":"info status","reply":"VM status: running","durationMs":0.2}\n',
 * );
 * await using monitor = new ReplayMonitor(recording);
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * await assertRejects(() => monitor.command("info cpus"), NotRecordedError, "--record");
 * ```
 */
export class ReplayMonitor implements Monitor {
  /** What it was opened as. */
  readonly endpoint: string;
  /** The version of the QEMU that was recorded. */
  readonly qemuVersion: string;
  readonly #answers = new Map<string, RecordedExchange[]>();
  readonly #allowUnsafe: readonly string[];
  readonly #exchanges: readonly RecordedExchange[];
  #memory: RecordedMemory | null = null;
  #closed = false;

  /** Answers from a recording; `endpoint` is what messages call it. */
  constructor(recording: Recording, endpoint = "replay:", options: ReplayOptions = {}) {
    checkOptions(options, "the options of a replay", { allowUnsafe: LIST });
    this.endpoint = endpoint;
    this.#allowUnsafe = options.allowUnsafe ?? [];
    this.qemuVersion = recording.header.qemuVersion;
    this.#exchanges = recording.exchanges;
    for (const exchange of recording.exchanges) {
      const key = keyOf(exchange.command, exchange.cpu);
      const answers = this.#answers.get(key);
      if (answers) answers.push(exchange);
      else this.#answers.set(key, [exchange]);
    }
    // From the end, so that taking the next one is cheap.
    for (const answers of this.#answers.values()) answers.reverse();
  }

  /**
   * Returns what was answered to a command, or throws the error that it met with.
   *
   * @throws {NotRecordedError} if it was never asked
   * @throws {CommandRefusedError} if the command is not on the read-only list
   */
  // deno-lint-ignore require-await -- so that it rejects instead of throwing
  async command(line: string, options: CommandOptions = {}): Promise<string> {
    const { endpoint, qemuVersion } = this;
    checkCommandOptions(options);
    checkCommand(line, {
      endpoint,
      allowUnsafe: [...this.#allowUnsafe, ...options.allowUnsafe ?? []],
    });
    options.signal?.throwIfAborted();
    if (this.#closed) {
      const message = `No reply to "${line}": ${endpoint} was closed`;
      throw new ConnectionLostError(message, { endpoint, command: line });
    }
    const answers = this.#answers.get(keyOf(line, options.cpu));
    if (answers === undefined) {
      const reply = (this.#memory ??= new RecordedMemory(this.#exchanges)).reply(line);
      if (reply === null) throw new NotRecordedError(line, options.cpu, endpoint);
      return reply;
    }
    const { reply, error } = answers.length > 1 ? answers.pop()! : answers[0]!;
    if (error) throw reviveError(error, { endpoint, command: line, qemuVersion });
    return reply!;
  }

  /** Ends it. May be called twice. */
  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Ends it, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function keyOf(command: string, cpu: number | undefined): string {
  return `${cpu ?? ""} ${command}`;
}
