import { permissionFlags } from "../core/permission_flags.ts";
import { formatSocket, type SocketEndpoint, socketPermissions } from "./endpoint.ts";
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
  /**
   * What it is called, as a user would type it.
   *
   * @default the socket's own address
   */
  name?: string;
  /**
   * The option of QEMU's that opens such a socket, for messages.
   *
   * @default {"monitor"}
   */
  qemuOption?: "monitor" | "qmp" | "gdb";
}

type SocketFailure = Exclude<
  ConnectFailure,
  "noSuchFile" | "noSuchDomain" | "noProgram" | "notAllowed"
>;

const READ_BYTES = 64 * 1024;

/** What a message about a socket is made of. */
interface Attempt {
  readonly socket: SocketEndpoint;
  readonly name: string;
  readonly qemuOption: string;
}

/**
 * Opens a socket. This is the only place in pagewalk that opens one. It asks for no permission: a missing
 * one is an error that names the flag, so nothing ever waits at a prompt.
 *
 * @throws {ConnectError} if the connection does not come about
 */
export async function connectSocket(
  socket: SocketEndpoint,
  options: ConnectSocketOptions = {},
): Promise<Transport> {
  const { timeoutMs = 5000, signal, qemuOption = "monitor" } = options;
  const attempt: Attempt = { socket, name: options.name ?? formatSocket(socket), qemuOption };
  signal?.throwIfAborted();
  await requirePermissions(attempt);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    return new SocketTransport(attempt, await open(socket, either));
  } catch (error) {
    signal?.throwIfAborted();
    throw timeout.aborted
      ? connectError("timedOut", attempt, error, `within ${timeoutMs} ms`)
      : connectError(failureOf(error, socket), attempt, error);
  }
}

async function open(socket: SocketEndpoint, signal: AbortSignal): Promise<Deno.Conn> {
  if (socket.scheme === "unix") {
    return await Deno.connect({ transport: "unix", path: socket.path });
  }
  const { host: hostname, port } = socket;
  const connection = await Deno.connect({ hostname, port, signal });
  connection.setNoDelay(true);
  return connection;
}

class SocketTransport implements Transport {
  readonly name: string;
  readonly isTcp: boolean;
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #closed = false;

  constructor({ name, socket }: Attempt, connection: Deno.Conn) {
    this.name = name;
    this.isTcp = socket.scheme !== "unix";
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

async function requirePermissions(attempt: Attempt): Promise<void> {
  for (const descriptor of socketPermissions(attempt.socket)) {
    const { state } = await Deno.permissions.query(descriptor);
    if (state !== "granted") throw connectError("permission", attempt);
  }
}

function failureOf(error: unknown, socket: SocketEndpoint): SocketFailure {
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (error instanceof Deno.errors.TimedOut) return "timedOut";
  if (error instanceof Deno.errors.NotCapable) return "permission";
  if (error instanceof Deno.errors.NotFound && socket.scheme === "unix") return "noSuchSocket";
  // Deno gives a failed name look-up no class and no code of its own.
  if (error instanceof Error && /failed to lookup address/i.test(error.message)) {
    return "hostNotFound";
  }
  return "failed";
}

function connectError(
  failure: SocketFailure,
  attempt: Attempt,
  cause?: unknown,
  detail = cause instanceof Error ? cause.message : "no reason given",
): ConnectError {
  const message = MESSAGES[failure](attempt, detail);
  return new ConnectError(failure, message, { endpoint: attempt.name, cause });
}

const MESSAGES: Record<SocketFailure, (attempt: Attempt, detail: string) => string> = {
  refused: (attempt) =>
    `Connection to ${attempt.name} refused: is QEMU running, with ${qemuFlag(attempt)}?` +
    (attempt.qemuOption === "monitor" && attempt.socket.scheme !== "unix"
      ? " By convention the monitor's port is the debug port + 100"
      : ""),
  timedOut: ({ name }, detail) =>
    `No connection to ${name} ${detail}: is the address right, does a firewall let it through, ` +
    "and do other clients wait there already? A monitor serves one at a time",
  hostNotFound: ({ name, socket }) =>
    `Host not found: ${
      "host" in socket ? socket.host : name
    }; check the name, or give the address ` +
    "(127.0.0.1)",
  noSuchSocket: (attempt) =>
    `No socket at ${attempt.name}: is QEMU running, with ${qemuFlag(attempt)}?`,
  permission: ({ name, socket }) =>
    `No permission to connect to ${name}: run deno with ${
      permissionFlags(socketPermissions(socket))
    }`,
  failed: ({ name }, detail) => `Could not connect to ${name}: ${detail}`,
};

/** The option of QEMU's that opens this socket. */
function qemuFlag({ socket, qemuOption }: Attempt): string {
  const name = formatSocket(socket);
  return `-${qemuOption} ${socket.scheme === "tcp" ? `tcp:${name}` : name},server=on,wait=off`;
}
