import type { ByteStream } from "../../src/testing/fake_monitor_connection.ts";
import { bytesOf, latin1 } from "./_recorded.ts";

const PROMPT = "(qemu) ";

/** The least that can talk to a monitor: it shows every byte, as latin1. */
export class WireClient implements AsyncDisposable {
  readonly #stream: ByteStream;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  static async tcp(port: number): Promise<WireClient> {
    return new WireClient(streamOf(await Deno.connect({ hostname: "127.0.0.1", port })));
  }

  static async unix(path: string): Promise<WireClient> {
    return new WireClient(streamOf(await Deno.connect({ transport: "unix", path })));
  }

  async send(text: string): Promise<void> {
    await this.#stream.write(bytesOf(text));
  }

  /** The bytes up to an end, or to the end of the stream. */
  async until(end: string): Promise<string> {
    const pieces: string[] = [];
    // Only the tail is looked at: an echo can be tens of megabytes.
    for (let tail = ""; !tail.endsWith(end);) {
      const bytes = await this.#stream.read();
      if (bytes === null) break;
      pieces.push(latin1(bytes));
      tail = (tail + pieces.at(-1)).slice(-end.length);
    }
    return pieces.join("");
  }

  /** The bytes up to the prompt. */
  untilPrompt(): Promise<string> {
    return this.until(PROMPT);
  }

  /** At least so many bytes. */
  async atLeast(count: number): Promise<string> {
    let text = "";
    while (text.length < count) {
      const bytes = await this.#stream.read();
      if (bytes === null) break;
      text += latin1(bytes);
    }
    return text;
  }

  /** The bytes up to the end of the stream. */
  untilEnd(): Promise<string> {
    return this.atLeast(Infinity);
  }

  /** Sends some bytes and returns what comes back, to the prompt. */
  async exchange(sent: string): Promise<string> {
    await this.send(sent);
    return await this.untilPrompt();
  }

  /** Runs a command and returns its reply without echo and prompt, its line ends `\n`. */
  async command(line: string): Promise<string> {
    const reply = await this.exchange(`${line}\n`);
    return reply.slice(reply.indexOf("\r\n") + 2, -PROMPT.length).replaceAll("\r\n", "\n");
  }

  /** Says whether nothing arrives for a while. The client is of no use afterwards. */
  async isSilentFor(ms: number): Promise<boolean> {
    const arrived = this.#stream.read();
    const { promise, resolve } = Promise.withResolvers<"silent">();
    const timer = setTimeout(() => resolve("silent"), ms);
    const first = await Promise.race([promise, arrived]);
    clearTimeout(timer);
    this.close();
    await arrived.catch(() => null);
    return first === "silent";
  }

  close(): void {
    this.#stream.close();
  }

  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

function streamOf(connection: Deno.Conn): ByteStream {
  const buffer = new Uint8Array(65536);
  let closed = false;
  return {
    async read() {
      const count = await connection.read(buffer);
      return count === null ? null : buffer.slice(0, count);
    },
    async write(bytes) {
      await connection.write(bytes);
    },
    close() {
      if (!closed) connection.close();
      closed = true;
    },
  };
}
