import { LineEditor } from "./_line_editor.ts";
import { bytesOf } from "./_fixtures.ts";

export const BANNER = "QEMU 7.2.22 monitor - type 'help' for more information\r\n";
export const PROMPT = "(qemu) ";

/** One client's connection, as the script sees it. */
export class Peer {
  readonly #connection: Deno.Conn;
  readonly #editor = new LineEditor();
  #pending: number[] = [];
  #closed = false;
  /** Every byte received. */
  readonly received: number[] = [];

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Sends text, or bytes as they are. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? bytesOf(data) : data;
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  /** Sends banner and prompt. */
  async greet(): Promise<void> {
    await this.send(BANNER);
    await this.send(PROMPT);
  }

  /** Echoes what is typed until a line ends; returns the line, or null once the client has left. */
  async line(): Promise<string | null> {
    for (;;) {
      while (this.#pending.length > 0) {
        const { echo, line } = this.#editor.type(this.#pending.shift()!);
        if (echo !== "") await this.send(echo);
        if (line !== null) return line.trim();
      }
      const bytes = await this.#read();
      if (bytes === null) return null;
      this.#pending.push(...bytes);
    }
  }

  /** Sends the prompt. */
  async prompt(): Promise<void> {
    await this.send(PROMPT);
  }

  /** Answers every line until the client leaves. */
  async serve(answer: (line: string) => string | Promise<string>): Promise<void> {
    await this.greet();
    for (let line = await this.line(); line !== null; line = await this.line()) {
      await this.send((await answer(line)).replaceAll("\n", "\r\n"));
      await this.prompt();
    }
  }

  /** Waits until the client has left. */
  async untilClosed(): Promise<void> {
    while (await this.#read() !== null) {
      // What it still says does not matter.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #read(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(4096);
    try {
      const lengthBytes = await this.#connection.read(buffer);
      if (lengthBytes === null) return null;
      this.received.push(...buffer.subarray(0, lengthBytes));
      return buffer.subarray(0, lengthBytes);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    }
  }
}

/** A server on a free port of 127.0.0.1, or a Unix socket, that runs a script for each client. */
export class ScriptServer implements AsyncDisposable {
  readonly endpoint: string;
  readonly peers: Peer[] = [];
  readonly #listener: Deno.Listener<Deno.Conn>;
  readonly #scripts: Promise<void>[] = [];
  readonly #accepting: Promise<void>;
  #closed = false;

  constructor(script: (peer: Peer) => Promise<void>, path?: string) {
    if (path === undefined) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      this.endpoint = `127.0.0.1:${listener.addr.port}`;
      this.#listener = listener;
    } else {
      this.endpoint = `unix:${path}`;
      this.#listener = Deno.listen({ transport: "unix", path }) as Deno.Listener<Deno.Conn>;
    }
    this.#accepting = this.#accept(script);
  }

  async #accept(script: (peer: Peer) => Promise<void>): Promise<void> {
    for await (const connection of this.#listener) {
      const peer = new Peer(connection);
      this.peers.push(peer);
      this.#scripts.push(this.#run(script, peer));
    }
  }

  async #run(script: (peer: Peer) => Promise<void>, peer: Peer): Promise<void> {
    try {
      await script(peer);
    } catch (error) {
      // A script may still be sending when the client under test has gone.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    } finally {
      peer.close();
    }
  }

  /** Stops listening and waits until every script has run to its end. May be called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
    await this.#accepting;
    await Promise.all(this.#scripts);
  }
}
