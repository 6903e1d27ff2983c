import { InvalidArgumentError } from "../../core/errors.ts";

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
