/** Where a socket is. */
export type SocketAddress = { port: number } | { path: string };

/** What goes wrong with what a server says, after so many bytes of it. */
export type ProxyFault =
  /** The connection ends, both ways. */
  | { kind: "cut"; afterBytes: number }
  /** Nothing more comes. */
  | { kind: "silence"; afterBytes: number }
  /** These bytes come in place of all the others. */
  | { kind: "instead"; afterBytes: number; bytes: Uint8Array }
  /** These bytes come in between, and the others behind them. */
  | { kind: "insert"; afterBytes: number; bytes: Uint8Array };

/** A fault that has struck on a connection, or is about to. */
interface Struck {
  fault: ProxyFault;
  leftBytes: number;
  /** The connection that it strikes: the first over which something comes. */
  on: Deno.Conn | null;
  /** The bytes of an `insert` or `instead` have been sent. */
  sent: boolean;
}

/** A proxy in front of a server's socket that lets things go wrong, on one connection at a time. */
export class FaultProxy implements AsyncDisposable {
  /** Where clients connect: the same kind of socket as the server's. */
  readonly address: SocketAddress;
  /** What the server has said since this was emptied, in pieces. */
  said: Uint8Array[] = [];
  readonly #listener: Deno.Listener;
  readonly #server: SocketAddress;
  readonly #open = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;
  #struck: Struck | null = null;

  /** Listens on a free port, or for a server on a Unix socket at a path beside it. */
  constructor(server: SocketAddress) {
    this.#server = server;
    this.#listener = "path" in server
      ? Deno.listen({ transport: "unix", path: `${server.path}.proxy` })
      : Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { addr } = this.#listener;
    this.address = "path" in addr ? { path: addr.path } : { port: (addr as Deno.NetAddr).port };
    this.#serving = this.#serve();
  }

  /**
   * The fault strikes after so many bytes, on the connection over which the next ones come: one that is
   * open, or one that is yet to be made. Later connections are good ones.
   */
  strike(fault: ProxyFault): void {
    this.#struck = { fault, leftBytes: fault.afterBytes, on: null, sent: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) close(connection);
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    for await (const client of this.#listener) running.push(this.#relay(client));
    await Promise.all(running);
  }

  async #relay(client: Deno.Conn): Promise<void> {
    const server = await connectTo(this.#server);
    for (const end of [client, server]) {
      if ("setNoDelay" in end) (end as Deno.TcpConn).setNoDelay(true);
      this.#open.add(end);
    }
    const both = () => [client, server].forEach(close);
    if (this.#isCutAtOnce(client)) both();
    await Promise.all([
      pump(client, (bytes) => writeAll(server, bytes)).finally(both),
      pump(server, (bytes) => this.#pass(bytes, client, both)).finally(both),
    ]);
    this.#open.delete(client);
    this.#open.delete(server);
  }

  /** A server that speaks only when asked would not meet a cut after no bytes. */
  #isCutAtOnce(client: Deno.Conn): boolean {
    const struck = this.#struck;
    if (struck?.on !== null || struck.leftBytes > 0 || struck.fault.kind !== "cut") return false;
    struck.on = client;
    return true;
  }

  async #pass(bytes: Uint8Array, client: Deno.Conn, end: () => void): Promise<void> {
    this.said.push(bytes);
    const struck = this.#struck;
    if (struck !== null) struck.on ??= client;
    if (struck === null || struck.on !== client) return await writeAll(client, bytes);
    const good = bytes.subarray(0, struck.leftBytes);
    struck.leftBytes -= good.length;
    if (good.length > 0) await writeAll(client, good);
    if (struck.leftBytes > 0) return;
    const { fault } = struck;
    if (fault.kind === "cut") return end();
    if ("bytes" in fault && !struck.sent) {
      struck.sent = true;
      await writeAll(client, fault.bytes);
    }
    if (fault.kind === "insert") await writeAll(client, bytes.subarray(good.length));
  }
}

function connectTo(server: SocketAddress): Promise<Deno.Conn> {
  return "path" in server
    ? Deno.connect({ transport: "unix", path: server.path })
    : Deno.connect({ hostname: "127.0.0.1", port: server.port });
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
