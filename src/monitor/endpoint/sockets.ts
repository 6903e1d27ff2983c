import { InvalidArgumentError } from "../../core/errors.ts";
import type { SocketEndpoint, TcpEndpoint, TelnetEndpoint, UnixEndpoint } from "./endpoint.ts";
import { DEFAULT_HOST, formatHostPort, parseHostPort, parsePort } from "./host_port.ts";
import { parsePath } from "./path.ts";
import { withoutQemuOptions } from "./qemu_options.ts";

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
