import { formatError } from "../../core/errors.ts";
import { checkOptions, given, TEXT } from "../../core/options.ts";
import { CommandRefusedError, MonitorError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { RecordingError } from "./errors.ts";
import { recordError } from "./recorded_error.ts";
import { type RecordedExchange, RECORDING_VERSION, type RecordingHeader } from "./recording.ts";

/** What a recording says of where it was made. */
export interface RecordOptions {
  /**
   * The kind of endpoint, such as `tcp`.
   *
   * @default {"monitor"}
   */
  endpointKind?: string;
}

/**
 * Wraps a monitor so that every exchange with it is written to a new file: command, vCPU, reply or
 * error, and how long it took. `connect("replay:/path")` runs on that file without the guest. Replies
 * are kept as they are; the endpoint and other paths of the host are not written. Needs
 * `--allow-write` of the file. Closing it closes the monitor and the file.
 *
 * @throws {RecordingError} if the file is there already, or cannot be written
 *
 * @example Usage
 * ```ts
 * import { connect, record, Session } from "@pagewalk/pagewalk";
 * import { monitorSource } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/guest.jsonl`;
 * await using sim = await connect("sim:");
 * const monitor = await record(path, sim.monitor);
 * await using guest = new Session({ source: monitorSource(monitor) });
 * const { verdict } = await guest.verify(0x7f1234567000n);
 *
 * await using again = await connect(`replay:${path}`);
 * assertEquals((await again.verify(0x7f1234567000n)).verdict, verdict);
 * ```
 */
export async function record(
  path: string,
  monitor: Monitor,
  options: RecordOptions = {},
): Promise<Monitor> {
  checkOptions(options, "the options of a recording", { endpointKind: TEXT });
  await requireRecordable(path);
  const file = await RecordingFile.create(path, {
    pagewalk: "recording",
    version: RECORDING_VERSION,
    qemuVersion: monitor.qemuVersion,
    endpointKind: options.endpointKind ?? "monitor",
  });
  return new RecordingMonitor(monitor, file);
}

/**
 * Checks that a recording may be written, before there is anything to write.
 *
 * @throws {RecordingError} if the permission is missing
 */
export async function requireRecordable(path: string): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "write", path });
  if (state === "granted") return;
  throw new RecordingError(
    `No permission to write the recording ${path}: run deno with --allow-write=${path}`,
    path,
  );
}

/** Lines of JSON, written one after the other. */
class RecordingFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  static async create(path: string, header: RecordingHeader): Promise<RecordingFile> {
    let file: Deno.FsFile;
    try {
      // What is there already may be somebody's disk image.
      file = await Deno.open(path, { write: true, createNew: true });
    } catch (cause) {
      throw new RecordingError(
        cause instanceof Deno.errors.AlreadyExists
          ? `There is a file ${path} already: name a new one for the recording`
          : `Cannot write the recording ${path}: ${reasonOf(cause)}`,
        path,
        { cause },
      );
    }
    const recording = new RecordingFile(path, file);
    await recording.append(header);
    return recording;
  }

  append(line: RecordingHeader | RecordedExchange): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    const written = this.#last.then(() => this.#write(bytes));
    // Later lines are tried all the same; this one's caller has the error.
    this.#last = written.catch(() => {});
    return written;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    this.#file.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#file.write(bytes.subarray(sent));
      }
    } catch (cause) {
      const message = `Cannot append to the recording ${this.#path}: ${reasonOf(cause)}`;
      throw new RecordingError(message, this.#path, { cause });
    }
  }
}

class RecordingMonitor implements Monitor {
  readonly #monitor: Monitor;
  readonly #file: RecordingFile;
  #closing: Promise<void> | null = null;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(monitor: Monitor, file: RecordingFile) {
    this.#monitor = monitor;
    this.#file = file;
  }

  get endpoint(): string {
    return this.#monitor.endpoint;
  }

  get qemuVersion(): string {
    return this.#monitor.qemuVersion;
  }

  command(line: string, options: CommandOptions = {}): Promise<string> {
    const exchange = this.#exchange(line, options);
    const ended = exchange.then(() => {}, () => {});
    this.#underWay.add(ended);
    ended.then(() => this.#underWay.delete(ended));
    return exchange;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#monitor.close();
    await Promise.all(this.#underWay);
    await this.#file.close();
  }

  async #exchange(command: string, options: CommandOptions): Promise<string> {
    const started = performance.now();
    const append = (outcome: Pick<RecordedExchange, "reply" | "error">) =>
      this.#file.append({
        command,
        ...given({ cpu: options.cpu }),
        ...outcome,
        durationMs: Math.round((performance.now() - started) * 1000) / 1000,
      });
    let reply: string;
    try {
      reply = await this.#monitor.command(command, options);
    } catch (error) {
      // A refused command never left, and a replay refuses it too; an abort is the caller's own.
      if (error instanceof MonitorError && !(error instanceof CommandRefusedError)) {
        if (this.#closing === null) await append({ error: recordError(error) });
      }
      throw error;
    }
    await append({ reply });
    return reply;
  }
}

/** The system's own words, without its number and the path, which is said already. */
function reasonOf(cause: unknown): string {
  return formatError(cause).replace(/ \(os error \d+\)[^]*$/, "");
}
