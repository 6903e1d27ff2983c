import { formatSocket } from "../monitor/endpoint.ts";
import { type ByteStream, serveClient } from "./fake_monitor_connection.ts";
import type { MonitorControl } from "./fake_monitor_control.ts";
import type { FakeMonitorOptions } from "./fake_monitor_options.ts";
import { MonitorScript } from "./fake_monitor_script.ts";
import {
  type MonitorHandler,
  type MonitorSession,
  type MonitorSource,
  sourceOf,
} from "./fake_monitor_source.ts";

/** Where a fake monitor listens, and how it behaves. */
export interface FakeMonitorServerOptions extends FakeMonitorOptions {
  /**
   * What it listens on. `telnet` is TCP with telnet's greeting.
   *
   * @default {"tcp"}
   */
  scheme?: "tcp" | "telnet" | "unix";
  /**
   * The TCP port, on 127.0.0.1; 0 takes a free one.
   *
   * @default {0}
   */
  port?: number;
  /**
   * The path of the Unix socket.
   *
   * @default {one in a new temporary directory}
   */
  path?: string;
  /**
   * The QEMU version in the banner of a handler; a guest has its own.
   *
   * @default {"7.2.22"}
   */
  version?: string;
}

/**
 * A QEMU monitor on a real socket. It serves one client at a time: a second connects, but hears
 * nothing until the first has left. Use {@linkcode fakeMonitor}.
 */
export interface FakeMonitor extends MonitorControl, AsyncDisposable {
  /** Where it listens, as a user would type it: `127.0.0.1:40123`, `telnet:…`, `unix:/…`. */
  readonly endpoint: string;
  /** The TCP port, or 0 on a Unix socket. */
  readonly port: number;
  /** Stops listening and ends the connection. May be called twice. */
  close(): Promise<void>;
}

class FakeMonitorServer extends MonitorScript implements FakeMonitor {
  readonly endpoint: string;
  readonly port: number;
  readonly #listener: Deno.Listener<Deno.TcpConn | Deno.UnixConn>;
  readonly #options: FakeMonitorServerOptions;
  readonly #source: MonitorSource;
  /** One for all clients: `cpu 1` stays set when the next one connects (seen in QEMU 5.2 to 11.1). */
  readonly #session: MonitorSession;
  readonly #ending = new AbortController();
  readonly #served: Promise<void>;
  /** Made for a Unix socket without a path; Deno removes the socket itself. */
  readonly #ownDirectory: string | undefined;
  #stopped = false;

  constructor(source: MonitorSource | MonitorHandler, options: FakeMonitorServerOptions = {}) {
    super(options);
    const { scheme = "tcp", port = 0, version = "7.2.22" } = options;
    this.#options = { ...options, telnet: options.telnet ?? scheme === "telnet" };
    this.#source = sourceOf(source, version);
    this.#session = this.#source.openMonitor();
    if (scheme === "unix") {
      this.#ownDirectory = options.path === undefined ? Deno.makeTempDirSync() : undefined;
      const path = options.path ?? `${this.#ownDirectory}/monitor.sock`;
      this.#listener = Deno.listen({ transport: "unix", path });
      this.port = 0;
      this.endpoint = formatSocket({ scheme, path });
    } else {
      const listener = Deno.listen({ hostname: HOST, port });
      this.#listener = listener;
      this.port = listener.addr.port;
      this.endpoint = formatSocket({ scheme, host: HOST, port: this.port });
    }
    this.#served = this.#serve();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#stopListening();
    await this.#served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(): Promise<void> {
    for (;;) {
      const connection = await this.#accept();
      if (connection === null) return;
      if (await this.#serveOne(connection) === "quit") {
        // QEMU itself ends, and its port with it.
        this.#stopListening();
        return;
      }
    }
  }

  async #accept(): Promise<Deno.TcpConn | Deno.UnixConn | null> {
    if (this.#ending.signal.aborted) return null;
    try {
      return await this.#listener.accept();
    } catch (error) {
      if (this.#ending.signal.aborted && isClosed(error)) return null;
      throw error;
    }
  }

  async #serveOne(connection: Deno.TcpConn | Deno.UnixConn): Promise<"left" | "quit"> {
    const { signal } = this.#ending;
    if ("setNoDelay" in connection) connection.setNoDelay(this.#options.writes !== "perFlush");
    const stream = streamOf(connection);
    const end = () => stream.close();
    signal.addEventListener("abort", end);
    try {
      if (signal.aborted) return "left";
      return await serveClient(stream, {
        source: this.#source,
        session: this.#session,
        script: this,
        options: this.#options,
        signal,
      });
    } finally {
      signal.removeEventListener("abort", end);
      stream.close();
    }
  }

  #stopListening(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener.close();
    if (this.#ownDirectory !== undefined) Deno.removeSync(this.#ownDirectory, { recursive: true });
  }
}

const HOST = "127.0.0.1";
const READ_BYTES = 16 * 1024;

/**
 * Starts a fake QEMU monitor on a socket of this machine. It answers for a simulated guest, or
 * whatever a function returns for a command, with QEMU's banner, echo and prompt byte for byte.
 *
 * @throws {InvalidArgumentError} if it is to speak in pieces of no bytes
 *
 * @example Usage
 * ```ts
 * import { fakeMonitor } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using monitor = fakeMonitor((command) => `You said ${command}\n`);
 * using client = await Deno.connect({ port: monitor.port });
 * await client.write(new TextEncoder().encode("info status\n"));
 * await client.read(new Uint8Array(100)); // the banner
 * await client.read(new Uint8Array(100));
 * assertEquals(monitor.commands, ["info status"]);
 * ```
 */
export function fakeMonitor(
  source: MonitorSource | MonitorHandler,
  options: FakeMonitorServerOptions = {},
): FakeMonitor {
  return new FakeMonitorServer(source, options);
}

function streamOf(connection: Deno.TcpConn | Deno.UnixConn): ByteStream {
  const buffer = new Uint8Array(READ_BYTES);
  let closed = false;
  return {
    async read() {
      const length = await connection.read(buffer);
      return length === null ? null : buffer.slice(0, length);
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    },
    close() {
      if (closed) return;
      closed = true;
      connection.close();
    },
  };
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}
