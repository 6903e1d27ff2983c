import { PagewalkError } from "../core/errors.ts";

/** A QEMU that can be run. */
export interface QemuBinary {
  /** Its path, or its name on PATH. */
  path: string;
  /** Its version, such as `7.2.22`. */
  version: string;
}

/** How QEMU is started, and when it counts as started. */
export interface StartQemuOptions {
  /**
   * The path of QEMU.
   *
   * @default the variable PAGEWALK_QEMU if it may be read, else `qemu-system-x86_64` on PATH
   */
  binary?: string;
  /** A TCP port of 127.0.0.1 that must accept a connection; not a gdb port, which would pause it. */
  port?: number;
  /** Bytes that must have appeared on QEMU's standard output, in any order. */
  readyBytes?: string;
  /**
   * Milliseconds until it must have started.
   *
   * @default {60_000}
   */
  timeoutMs?: number;
}

/** QEMU could not be started, or it quit before it was ready. */
export class QemuStartError extends PagewalkError {
  /** Its exit code, or null if it was not found or did not quit. */
  readonly exitCode: number | null;
  /** What it had written to standard error. */
  readonly stderr: string;

  /** Creates the error for one start. */
  constructor(
    message: string,
    details: { exitCode?: number | null; stderr?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.exitCode = details.exitCode ?? null;
    this.stderr = details.stderr ?? "";
  }
}

const PORT_PROBE_MS = 10;

/**
 * Returns the QEMU that {@linkcode startQemu} would run: PAGEWALK_QEMU's, or the one on PATH.
 *
 * @example Usage
 * ```ts
 * import { qemuPath } from "@pagewalk/pagewalk/testing";
 *
 * console.log(qemuPath());
 * ```
 */
export function qemuPath(): string {
  const permission = { name: "env", variable: "PAGEWALK_QEMU" } as const;
  const mayRead = Deno.permissions.querySync(permission).state === "granted";
  return (mayRead && Deno.env.get("PAGEWALK_QEMU")) || "qemu-system-x86_64";
}

/**
 * Says whether there is a QEMU to run, and which: null if there is none. Needs `--allow-run`.
 *
 * @throws {QemuStartError} if there is something at the path, but it does not run as QEMU does
 *
 * @example Usage
 * ```ts
 * import { qemuAvailable } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await qemuAvailable("/no/such/qemu"), null);
 * ```
 */
export async function qemuAvailable(path: string = qemuPath()): Promise<QemuBinary | null> {
  const output = await versionOutput(path);
  if (output === null) return null;
  const version = /version (\d+(?:\.\d+)+)/.exec(new TextDecoder().decode(output.stdout))?.[1];
  if (output.success && version !== undefined) return { path, version };
  const stderr = new TextDecoder().decode(output.stderr);
  throw new QemuStartError(
    `${path} is not a QEMU that runs here: --version ended with code ${output.code}${said(stderr)}`,
    { exitCode: output.code, stderr },
  );
}

async function versionOutput(path: string): Promise<Deno.CommandOutput | null> {
  try {
    return await new Deno.Command(path, { args: ["--version"], stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Starts QEMU and waits until it is ready. Needs `--allow-run`.
 *
 * @throws {QemuStartError} if there is no QEMU, it quits first, or it is not ready in time
 *
 * @example Usage
 * ```ts
 * import { QemuStartError, startQemu } from "@pagewalk/pagewalk/testing";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => startQemu([], { binary: "/no/such/qemu" }), QemuStartError);
 * ```
 */
export async function startQemu(
  args: readonly string[],
  options: StartQemuOptions = {},
): Promise<QemuProcess> {
  const { binary = qemuPath(), timeoutMs = 60_000 } = options;
  const process = new QemuProcess(spawn(binary, args), binary, args);
  const started = new AbortController();
  const timer = setTimeout(() => started.abort(), timeoutMs);
  try {
    if (options.readyBytes !== undefined) await process.output(options.readyBytes, started.signal);
    if (options.port !== undefined) await process.listening(options.port, started.signal);
    return process;
  } catch (error) {
    await process.kill();
    if (!started.signal.aborted) throw error;
    const stderr = process.stderr;
    throw new QemuStartError(
      `QEMU was not ready after ${timeoutMs} ms${said(stderr)}; it was started as: ` +
        [binary, ...args].join(" "),
      { stderr, cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

function spawn(binary: string, args: readonly string[]): Deno.ChildProcess {
  try {
    const pipes = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
    return new Deno.Command(binary, { args: [...args], ...pipes }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new QemuStartError(
      `There is no QEMU at ${binary}: install it (Debian: apt-get install qemu-system-x86), or name ` +
        "one in PAGEWALK_QEMU",
      { cause },
    );
  }
}

/** A running QEMU. Disposing of it ends it. */
export class QemuProcess implements AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** What was run. */
  readonly binary: string;
  /** The arguments it was given. */
  readonly args: readonly string[];
  /** Settles when it has ended. */
  readonly exited: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #stdout: Collector;
  readonly #stderr: Collector;
  #hasExited = false;

  /** Takes charge of a child whose output is piped; {@linkcode startQemu} makes one. */
  constructor(child: Deno.ChildProcess, binary: string, args: readonly string[]) {
    this.#child = child;
    this.pid = child.pid;
    this.binary = binary;
    this.args = args;
    this.#stdout = new Collector(child.stdout);
    this.#stderr = new Collector(child.stderr);
    // A script that ends early must not leave QEMU behind.
    const killAtExit = () => child.kill("SIGKILL");
    globalThis.addEventListener("unload", killAtExit);
    this.exited = child.status.then(async (status) => {
      this.#hasExited = true;
      globalThis.removeEventListener("unload", killAtExit);
      await Promise.all([this.#stdout.ended, this.#stderr.ended]);
      return status;
    });
  }

  /** What it has written to standard output so far. */
  get stdout(): string {
    return this.#stdout.text;
  }

  /** What it has written to standard error so far. */
  get stderr(): string {
    return this.#stderr.text;
  }

  /**
   * Waits until each of some bytes has appeared on standard output.
   *
   * @throws {QemuStartError} if it quits first
   */
  async output(bytes: string, signal?: AbortSignal): Promise<void> {
    const isComplete = () => [...bytes].every((byte) => this.stdout.includes(byte));
    while (!isComplete()) {
      await this.#unlessEnded(this.#stdout.more(), signal);
    }
  }

  /**
   * Waits until it accepts connections on a TCP port of 127.0.0.1.
   *
   * @throws {QemuStartError} if it quits first
   */
  async listening(port: number, signal?: AbortSignal): Promise<void> {
    while (!await accepts(port)) {
      const pause = Promise.withResolvers<void>();
      const timer = setTimeout(pause.resolve, PORT_PROBE_MS);
      await this.#unlessEnded(pause.promise, signal).finally(() => clearTimeout(timer));
    }
  }

  /** Ends it at once and waits until it is gone. May be called twice. */
  async kill(): Promise<void> {
    if (!this.#hasExited) this.#child.kill("SIGKILL");
    await this.exited;
  }

  /** As {@linkcode kill}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #unlessEnded(wait: Promise<void>, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      const ended = await Promise.race([wait.then(() => null), this.exited, aborted.promise]);
      if (ended === null) return;
      throw new QemuStartError(
        `QEMU quit with code ${ended.code} before it was ready${said(this.stderr)}`,
        { exitCode: ended.code, stderr: this.stderr },
      );
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

/** Reads a stream to its end, as text. */
class Collector {
  text = "";
  /** Settles at the end of the stream. */
  readonly ended: Promise<void>;
  #next = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#collect(stream);
  }

  /** Settles when there is more text; never, if there is no more. */
  more(): Promise<void> {
    return this.#next.promise;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.text += decoder.decode(chunk, { stream: true });
      this.#next.resolve();
      this.#next = Promise.withResolvers();
    }
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

/** QEMU's own words, on the one line that a message has. */
function said(stderr: string): string {
  const words = stderr.trim().replaceAll(/\s*\n\s*/g, "; ");
  return words === "" ? "" : `, saying: ${words}`;
}
