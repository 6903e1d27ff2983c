import { InvalidArgumentError } from "../core/errors.ts";
import {
  type Endpoint,
  formatEndpoint,
  permissionFor,
  permissionsFor,
  socketOf,
} from "./endpoint/mod.ts";
import { ConnectError, type ConnectFailure } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** How a socket is opened. */
export interface ConnectSocketOptions {
  /**
   * Milliseconds until the connection must stand.
   *
   * @default {5000}
   */
  timeoutMs?: number;
  /** Ends the attempt with the signal's reason. */
  signal?: AbortSignal;
}

type SocketFailure = Exclude<
  ConnectFailure,
  "noSuchFile" | "noSuchDomain" | "noProgram" | "notAllowed"
>;

const READ_BYTES = 64 * 1024;

/**
 * Opens the socket behind an endpoint. This is the only place in pagewalk that opens one. It asks
 * for no permission: a missing one is an error that names the flag, so nothing ever waits at a prompt.
 *
 * @throws {ConnectError} if the connection does not come about
 * @throws {InvalidArgumentError} if the endpoint is no socket
 */
export async function connectSocket(
  endpoint: Endpoint,
  options: ConnectSocketOptions = {},
): Promise<Transport> {
  const { timeoutMs = 5000, signal } = options;
  signal?.throwIfAborted();
  await requirePermissions(endpoint);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    return new SocketTransport(endpoint, await open(socketOf(endpoint), either));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof InvalidArgumentError) throw error;
    throw timeout.aborted
      ? connectError("timedOut", endpoint, error, `within ${timeoutMs} ms`)
      : connectError(failureOf(error, endpoint), endpoint, error);
  }
}

async function open(endpoint: Endpoint, signal: AbortSignal): Promise<Deno.Conn> {
  switch (endpoint.scheme) {
    case "tcp":
    case "telnet": {
      const { host: hostname, port } = endpoint;
      const connection = await Deno.connect({ hostname, port, signal });
      connection.setNoDelay(true);
      return connection;
    }
    case "unix":
      return await Deno.connect({ transport: "unix", path: endpoint.path });
    default:
      throw new InvalidArgumentError(`${formatEndpoint(endpoint)} is no socket`, endpoint);
  }
}

class SocketTransport implements Transport {
  readonly endpoint: Endpoint;
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #closed = false;

  constructor(endpoint: Endpoint, connection: Deno.Conn) {
    this.endpoint = endpoint;
    this.#connection = connection;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) return null;
    try {
      const lengthBytes = await this.#connection.read(this.#buffer);
      return lengthBytes === null ? null : this.#buffer.slice(0, lengthBytes);
    } catch (error) {
      // QEMU resets the connection when it quits with something unread; either way it has closed.
      if (this.#closed || error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(sent === 0 ? bytes : bytes.subarray(sent));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

async function requirePermissions(endpoint: Endpoint): Promise<void> {
  for (const descriptor of permissionsFor(endpoint)) {
    const { state } = await Deno.permissions.query(descriptor);
    if (state !== "granted") throw connectError("permission", endpoint);
  }
}

function failureOf(error: unknown, endpoint: Endpoint): SocketFailure {
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (error instanceof Deno.errors.TimedOut) return "timedOut";
  if (error instanceof Deno.errors.NotCapable) return "permission";
  if (error instanceof Deno.errors.NotFound && socketOf(endpoint).scheme === "unix") {
    return "noSuchSocket";
  }
  // Deno gives a failed name look-up no class and no code of its own.
  if (error instanceof Error && /failed to lookup address/i.test(error.message)) {
    return "hostNotFound";
  }
  return "failed";
}

function connectError(
  failure: SocketFailure,
  endpoint: Endpoint,
  cause?: unknown,
  detail?: string,
): ConnectError {
  const name = formatEndpoint(endpoint);
  return new ConnectError(failure, MESSAGES[failure](endpoint, name, detail ?? reason(cause)), {
    endpoint: name,
    cause,
  });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : "no reason given";
}

type Message = (endpoint: Endpoint, name: string, detail: string) => string;

const MESSAGES: Record<SocketFailure, Message> = {
  refused: (endpoint, name) =>
    `Connection to ${name} refused: is QEMU running, with ${qemuFlag(endpoint)}?` +
    (endpoint.scheme === "tcp" || endpoint.scheme === "telnet"
      ? " By convention the monitor's port is the debug port + 100"
      : ""),
  timedOut: (_, name, detail) =>
    `No connection to ${name} ${detail}: is the address right, and does a firewall let it through?`,
  hostNotFound: (endpoint, name) =>
    `Host not found: ${hostOf(endpoint) ?? name}; check the name, or give the address (127.0.0.1)`,
  noSuchSocket: (endpoint, name) =>
    `No socket at ${name}: is QEMU running, with ${qemuFlag(endpoint)}?`,
  permission: (endpoint, name) =>
    `No permission to connect to ${name}: run deno with ${permissionFor(endpoint)}`,
  failed: (_, name, detail) => `Could not connect to ${name}: ${detail}`,
};

/** The option of QEMU's that opens this endpoint. */
function qemuFlag(endpoint: Endpoint): string {
  const socket = socketOf(endpoint);
  const name = formatEndpoint(socket);
  const option = endpoint.scheme === "qmp" || endpoint.scheme === "gdb"
    ? endpoint.scheme
    : "monitor";
  return `-${option} ${socket.scheme === "tcp" ? `tcp:${name}` : name},server=on,wait=off`;
}

function hostOf(endpoint: Endpoint): string | null {
  const socket = socketOf(endpoint);
  return "host" in socket ? socket.host : null;
}
