/** What goes wrong with what a server says, after so many bytes of it. */
export type ProxyFault = { kind: "cut" | "silence" | "garbage"; afterBytes: number };

/** A TCP proxy in front of a server, that can let things go wrong from one moment on. */
export class FaultProxy implements AsyncDisposable {
  readonly port: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serverPort: number;
  readonly #open = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;
  #fault: { kind: ProxyFault["kind"]; left: number } | null = null;

  constructor(serverPort: number) {
    this.#serverPort = serverPort;
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve();
  }

  /** From now on, on all connections that are open: the fault strikes after so many bytes. */
  strike({ kind, afterBytes }: ProxyFault): void {
    this.#fault = { kind, left: afterBytes };
  }

  /** New connections, and what is still open, work again. */
  heal(): void {
    this.#fault = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) close(connection);
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      for await (const client of this.#listener) running.push(this.#relay(client));
    } finally {
      await Promise.all(running);
    }
  }

  async #relay(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#serverPort });
    for (const end of [client, server]) {
      end.setNoDelay(true);
      this.#open.add(end);
    }
    const both = () => [client, server].forEach(close);
    await Promise.all([
      pump(client, (bytes) => writeAll(server, bytes)).finally(both),
      pump(server, (bytes) => this.#pass(bytes, client, both)).finally(both),
    ]);
    this.#open.delete(client);
    this.#open.delete(server);
  }

  async #pass(bytes: Uint8Array, client: Deno.TcpConn, end: () => void): Promise<void> {
    const fault = this.#fault;
    if (fault === null) return await writeAll(client, bytes);
    const good = bytes.subarray(0, fault.left);
    fault.left -= good.length;
    if (good.length > 0) await writeAll(client, good);
    if (good.length === bytes.length) return;
    if (fault.kind === "cut") {
      this.#fault = null; // The next connection is a good one.
      end();
    } else if (fault.kind === "garbage") {
      await writeAll(client, new Uint8Array(bytes.length - good.length).fill(0xa5));
    }
  }
}

async function pump(from: Deno.Conn, take: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      await take(buffer.slice(0, count));
    }
  } catch (error) {
    // Either end may go at any time; that is what this is for.
    if (!(error instanceof Deno.errors.BadResource || isGone(error))) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.NotConnected;
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // It is closed.
  }
}
