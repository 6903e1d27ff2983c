import { InvalidArgumentError } from "../core/errors.ts";

/** What is connected to. What stands behind the scheme differs by scheme. */
export interface Endpoint {
  /** Which kind of endpoint this is: what is written before its colon. */
  readonly scheme: string;
}

/** A monitor on a TCP port. */
export interface TcpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "tcp";
  /** The host's name or address; an IPv6 address without brackets. */
  host: string;
  /** The port, 1 to 65535. */
  port: number;
}

/** A monitor on a TCP port that speaks telnet (`-monitor telnet:…`). */
export interface TelnetEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "telnet";
  /** The host's name or address; an IPv6 address without brackets. */
  host: string;
  /** The port, 1 to 65535. */
  port: number;
}

/** A monitor on a Unix socket. */
export interface UnixEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "unix";
  /** The socket's path. */
  path: string;
}

/** A socket that QEMU listens on. */
export type SocketEndpoint = TcpEndpoint | TelnetEndpoint | UnixEndpoint;

/** A QMP server: the machine's language of the same monitor (`-qmp …`). */
export interface QmpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "qmp";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

/** Where a monitor is looked for if only a port is given. */
export const DEFAULT_HOST = "127.0.0.1";
/** The highest port. */
export const MAX_PORT = 65_535;

/** Writes `HOST:PORT`, an IPv6 address in brackets. */
export function formatHostPort({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `HOST:PORT` or `[IPV6]:PORT`. `text` is the whole argument, for messages.
 *
 * @throws {InvalidArgumentError} if it is none
 */
export function parseHostPort(hostPort: string, text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(hostPort);
  if (match === null) throw notHostPort(hostPort, text);
  const [, ipv6, name, port] = match;
  if (ipv6 !== undefined) {
    if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w+)?$/.test(ipv6)) {
      throw new InvalidArgumentError(`Not an IPv6 address: "[${ipv6}]" in "${text}"`, text);
    }
    return { host: ipv6, port: parsePort(port!, text) };
  }
  // QEMU reads an empty host as any address; its `tcp::1334,server` is this machine's port 1334.
  const host = name || DEFAULT_HOST;
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?$/.test(host)) {
    throw new InvalidArgumentError(`Not a host name or address: "${host}" in "${text}"`, text);
  }
  return { host, port: parsePort(port!, text) };
}

function notHostPort(hostPort: string, text: string): InvalidArgumentError {
  const example = hostPort.split(":").length > 2 && !hostPort.startsWith("[")
    ? "an IPv6 address goes in brackets: [::1]:1334"
    : "expected a port, HOST:PORT, tcp:HOST:PORT, telnet:HOST:PORT or unix:PATH";
  return new InvalidArgumentError(`Not a monitor endpoint: "${text}"; ${example}`, text);
}

/**
 * Reads a port, 1 to 65535.
 *
 * @throws {InvalidArgumentError} if it is none
 */
export function parsePort(digits: string, text: string): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > MAX_PORT) {
    throw new InvalidArgumentError(
      `Not a port: "${digits}"${
        digits === text.trim() ? "" : ` in "${text}"`
      }; it must be 1 to ${MAX_PORT}`,
      text,
    );
  }
  return port;
}

/**
 * Reads a path. `text` is the whole argument, for messages.
 *
 * @throws {InvalidArgumentError} if it is none
 */
export function parsePath(path: string, text: string, what = "a socket's path"): string {
  if (path === "" || path.includes("\0")) {
    throw new InvalidArgumentError(`Not ${what}: "${path}" in "${text}"`, text);
  }
  return path;
}

/** What QEMU takes after an address. */
const QEMU_OPTIONS = /(?:,(?:server|wait|nowait|nodelay|delay|ipv4|ipv6|reconnect)(?:=[^,]*)?)+$/;

/** Returns an address without QEMU's options, so that the text behind `-monitor` can be pasted as it stands. */
export function withoutQemuOptions(text: string): string {
  return text.replace(QEMU_OPTIONS, "");
}

/** How what follows a scheme's colon is read; `text` is the whole argument, for messages. */
export type ParseRest<E> = (rest: string, text: string) => E;

/** The schemes of sockets: `tcp:HOST:PORT`, `telnet:HOST:PORT`, `unix:PATH`. */
export const SOCKET_SCHEMES: {
  readonly tcp: ParseRest<TcpEndpoint>;
  readonly telnet: ParseRest<TelnetEndpoint>;
  readonly unix: ParseRest<UnixEndpoint>;
} = {
  tcp: (rest, text) => ({ scheme: "tcp", ...parseHostPort(withoutQemuOptions(rest), text) }),
  telnet: (rest, text) => ({ scheme: "telnet", ...parseHostPort(withoutQemuOptions(rest), text) }),
  unix(rest, text) {
    const path = parsePath(withoutQemuOptions(rest), text);
    refuseTerminal(path, text);
    return { scheme: "unix", path };
  },
};

/**
 * Refuses what QEMU's `pty` and `tty` character devices are given by.
 *
 * @throws {InvalidArgumentError} if a path is a terminal's
 */
export function refuseTerminal(path: string, text: string): void {
  if (!/^\/dev\/(?:pts\/|tty|ptmx)/.test(path)) return;
  throw new InvalidArgumentError(
    `${path} is a terminal, not a socket: give QEMU -monitor unix:PATH,server=on,wait=off, or bridge ` +
      `it with socat TCP-LISTEN:1334,bind=127.0.0.1 ${path},rawer`,
    text,
  );
}

/** Reads a socket's address by its scheme; a port or HOST:PORT is TCP. `text` is for messages. */
export function parseSocket(address: string, text: string): SocketEndpoint {
  const trimmed = address.trim();
  if (/^\d+$/.test(trimmed)) {
    return { scheme: "tcp", host: DEFAULT_HOST, port: parsePort(trimmed, text) };
  }
  const [, scheme, rest] = /^(tcp|telnet|unix):(.*)$/s.exec(trimmed) ?? [];
  if (scheme === undefined) return SOCKET_SCHEMES.tcp(trimmed, text);
  return SOCKET_SCHEMES[scheme as SocketEndpoint["scheme"]](rest!, text);
}

/** Reads the socket behind another scheme, `qmp:4444`, `gdb:unix:PATH`, which knows no telnet. */
export function parseInnerSocket(rest: string, text: string): TcpEndpoint | UnixEndpoint {
  const socket = parseSocket(rest, text);
  if (socket.scheme !== "telnet") return socket;
  throw new InvalidArgumentError(
    `Not a monitor endpoint: "${text}"; behind ${
      text.trim().split(":", 1)
    }: goes a port, HOST:PORT or unix:PATH`,
    text,
  );
}

/** Writes a socket's address the way a user would type it. */
export function formatSocket(socket: SocketEndpoint): string {
  if (socket.scheme === "unix") return `unix:${socket.path}`;
  return `${socket.scheme === "telnet" ? "telnet:" : ""}${formatHostPort(socket)}`;
}

/** The permissions that opening a socket takes, each of them needed. */
export function socketPermissions(socket: SocketEndpoint): Deno.PermissionDescriptor[] {
  if (socket.scheme !== "unix") return [{ name: "net", host: formatHostPort(socket) }];
  const { path } = socket;
  // Seen with Deno 2.9: each of the three is asked for in turn, none implies another.
  return [{ name: "read", path }, { name: "write", path }, { name: "net", host: `unix:${path}` }];
}

const DEBUG_TO_MONITOR = 100;

/**
 * Returns the monitor port that goes with a gdbstub port: by convention 100 above it.
 *
 * @throws {InvalidArgumentError} if either would be no port
 *
 * @example Usage
 * ```ts
 * import { monitorPortFor } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(monitorPortFor(1234), 1334);
 * ```
 */
export function monitorPortFor(debugPort: number): number {
  const highest = MAX_PORT - DEBUG_TO_MONITOR;
  if (!Number.isInteger(debugPort) || debugPort < 1 || debugPort > highest) {
    throw new InvalidArgumentError(
      `Not a debug port: ${debugPort}; it must be 1 to ${highest}, as the monitor is ${DEBUG_TO_MONITOR} above`,
      debugPort,
    );
  }
  return debugPort + DEBUG_TO_MONITOR;
}

/** Where a monitor listens: what a user types for it, and what opening it takes. */
