import { InvalidArgumentError } from "../../core/errors.ts";
import type { TcpEndpoint, TelnetEndpoint, UnixEndpoint } from "./endpoint.ts";
import { formatHostPort, parseHostPort } from "./host_port.ts";
import { parsePath } from "./path.ts";
import { withoutQemuOptions } from "./qemu_options.ts";
import type { Scheme } from "./scheme.ts";

/** A TCP port: `tcp:HOST:PORT`, or without `tcp:`. */
export const TCP: Scheme<TcpEndpoint> = {
  parse: (rest, text) => ({ scheme: "tcp", ...parseHostPort(withoutQemuOptions(rest), text) }),
  format: formatHostPort,
  permissions: (endpoint) => [{ name: "net", host: formatHostPort(endpoint) }],
};

/** A TCP port that speaks telnet: `telnet:HOST:PORT`. */
export const TELNET: Scheme<TelnetEndpoint> = {
  parse: (rest, text) => ({ scheme: "telnet", ...parseHostPort(withoutQemuOptions(rest), text) }),
  format: (endpoint) => `telnet:${formatHostPort(endpoint)}`,
  permissions: (endpoint) => [{ name: "net", host: formatHostPort(endpoint) }],
};

/** A Unix socket: `unix:PATH`. */
export const UNIX: Scheme<UnixEndpoint> = {
  parse: (rest, text) => ({ scheme: "unix", path: parsePath(withoutQemuOptions(rest), text) }),
  format: (endpoint) => `unix:${endpoint.path}`,
  // Seen with Deno 2.9: each of the three is asked for in turn, none implies another.
  permissions: ({ path }) => [
    { name: "read", path },
    { name: "write", path },
    { name: "net", host: `unix:${path}` },
  ],
};

/** Another language on a socket: `qmp:4444`, `qmp:HOST:PORT`, `qmp:unix:PATH`. */
export function onSocket<S extends "qmp" | "gdb">(
  scheme: S,
): Scheme<{ scheme: S; socket: TcpEndpoint | UnixEndpoint }> {
  return {
    parse(rest, text, parseInner) {
      const socket = parseInner(rest);
      if (socket.scheme === "tcp" || socket.scheme === "unix") return { scheme, socket };
      throw new InvalidArgumentError(
        `Not a monitor endpoint: "${text}"; behind ${scheme}: goes a port, HOST:PORT or unix:PATH`,
        text,
      );
    },
    format: ({ socket }) =>
      `${scheme}:${socket.scheme === "tcp" ? TCP.format(socket) : UNIX.format(socket)}`,
    permissions: ({ socket }) =>
      socket.scheme === "tcp" ? TCP.permissions(socket) : UNIX.permissions(socket),
  };
}
