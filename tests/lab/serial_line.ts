import { LabError } from "./errors.ts";

/** A line that is waited for. */
interface Waiter {
  /** Tells whether a line is the one. */
  matches: (line: string) => boolean;
  resolve: (lines: string[]) => void;
  reject: (error: Error) => void;
  /** Number of the first line that belongs to the answer. */
  from: number;
}

/** One of the guest's serial ports, seen as lines of text over the unix socket that QEMU serves. */
export class SerialLine implements AsyncDisposable {
  readonly #connection: Deno.UnixConn;
  readonly #waiters = new Set<Waiter>();
  readonly #reading: Promise<void>;
  #partial = "";
  #ended: LabError | undefined;
  /** Every whole line received so far. */
  readonly lines: string[] = [];

  private constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
    this.#reading = this.#read();
  }

  /** Connects to the socket at `path`. */
  static async connect(path: string): Promise<SerialLine> {
    return new SerialLine(await Deno.connect({ transport: "unix", path }));
  }

  /** Everything received so far, an unfinished line included. */
  get text(): string {
    return [...this.lines, this.#partial].join("\n");
  }

  /** Sends one line. */
  async send(line: string): Promise<void> {
    const bytes = new TextEncoder().encode(`${line}\n`);
    let sent = 0;
    while (sent < bytes.length) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /**
   * Waits for a line and answers all lines from line number `from` up to and with it.
   *
   * @throws {LabError} when the time is up or the guest is gone.
   */
  async until(
    matches: (line: string) => boolean,
    options: { from: number; timeoutMs: number; purpose: string },
  ): Promise<string[]> {
    const { from, timeoutMs, purpose } = options;
    for (let index = from; index < this.lines.length; index++) {
      if (matches(this.lines[index] ?? "")) return this.lines.slice(from, index + 1);
    }
    if (this.#ended) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    const waiter: Waiter = { matches, resolve, reject, from };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => {
      const last = this.lines.at(-1) ?? this.#partial;
      reject(new LabError(`${purpose}: no answer in ${timeoutMs} ms; the last line was: ${last}`));
    }, timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16384);
    let reason = "the guest closed its serial line";
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) break;
        this.#receive(decoder.decode(buffer.subarray(0, count), { stream: true }));
      }
    } catch (error) {
      reason = `the guest's serial line broke: ${(error as Error).message}`;
    }
    this.#ended = new LabError(reason);
    for (const waiter of this.#waiters) waiter.reject(this.#ended);
  }

  #receive(text: string): void {
    const parts = (this.#partial + text.replaceAll("\r", "")).split("\n");
    this.#partial = parts.pop() ?? "";
    for (const line of parts) {
      this.lines.push(line);
      for (const waiter of this.#waiters) {
        if (waiter.matches(line)) waiter.resolve(this.lines.slice(waiter.from));
      }
    }
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    await this.#reading;
  }
}
