import { InvalidArgumentError } from "../core/errors.ts";

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

/** A QMP server: the machine's language of the same monitor (`-qmp …`). */
export interface QmpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "qmp";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

/** A gdbstub (`-gdb …`, `-s`). Connecting to it pauses the guest. */
export interface GdbEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "gdb";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

/** A domain of libvirt's, reached through `virsh`. */
export interface LibvirtEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "libvirt";
  /** The domain's name, number or UUID. */
  domain: string;
}

/** A domain of another host's libvirt, reached through `virsh` and ssh. */
export interface LibvirtSshEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "libvirt+ssh";
  /** `host`, `user@host`, either with `:port`. */
  host: string;
  /** The domain's name, number or UUID. */
  domain: string;
}

/** A monitor inside this process, such as the simulated guest's. */
export interface SimEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "sim";
  /** What the simulated guest is called. */
  name: string;
}

/** A recording of a monitor's answers, instead of a guest. */
export interface ReplayEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "replay";
  /** The recording's path. */
  path: string;
}

/** A dump of a guest's memory, instead of a guest. */
export interface DumpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "dump";
  /** The dump's path. */
  path: string;
}

/** Where a monitor is. A further scheme is one more member here and one more row in the table below. */
export type Endpoint =
  | TcpEndpoint
  | TelnetEndpoint
  | UnixEndpoint
  | QmpEndpoint
  | GdbEndpoint
  | LibvirtEndpoint
  | LibvirtSshEndpoint
  | SimEndpoint
  | ReplayEndpoint
  | DumpEndpoint;

/** What a scheme must say about itself. */
interface Scheme<E> {
  /** Reads what follows `scheme:`. `text` is the whole argument, for messages. */
  parse(rest: string, text: string): E;
  /** Writes it the way a user would type it. */
  format(endpoint: E): string;
  /** The permissions that opening it takes, each of them needed. */
  permissions(endpoint: E): Deno.PermissionDescriptor[];
}

type SchemeTable = { [S in Endpoint["scheme"]]: Scheme<Extract<Endpoint, { scheme: S }>> };

const SCHEMES: SchemeTable = {
  tcp: {
    parse: (rest, text) => ({ scheme: "tcp", ...parseHostPort(withoutQemuOptions(rest), text) }),
    format: formatHostPort,
    permissions: (endpoint) => [{ name: "net", host: formatHostPort(endpoint) }],
  },
  telnet: {
    parse: (rest, text) => ({ scheme: "telnet", ...parseHostPort(withoutQemuOptions(rest), text) }),
    format: (endpoint) => `telnet:${formatHostPort(endpoint)}`,
    permissions: (endpoint) => [{ name: "net", host: formatHostPort(endpoint) }],
  },
  unix: {
    parse: (rest, text) => ({ scheme: "unix", path: parsePath(withoutQemuOptions(rest), text) }),
    format: (endpoint) => `unix:${endpoint.path}`,
    // Seen with Deno 2.9: each of the three is asked for in turn, none implies another.
    permissions: ({ path }) => [
      { name: "read", path },
      { name: "write", path },
      { name: "net", host: `unix:${path}` },
    ],
  },
  qmp: socketScheme("qmp"),
  gdb: socketScheme("gdb"),
  libvirt: {
    parse: (rest, text) => ({ scheme: "libvirt", domain: parseDomain(rest, text) }),
    format: ({ domain }) => `libvirt:${domain}`,
    permissions: () => [{ name: "run", command: "virsh" }],
  },
  "libvirt+ssh": {
    parse: (rest, text) => ({ scheme: "libvirt+ssh", ...parseSshDomain(rest, text) }),
    format: ({ host, domain }) => `libvirt+ssh://${host}/${domain}`,
    permissions: () => [{ name: "run", command: "virsh" }],
  },
  sim: {
    parse: (name) => ({ scheme: "sim", name }),
    format: (endpoint) => `sim:${endpoint.name}`,
    permissions: () => [],
  },
  replay: fileScheme("replay"),
  dump: fileScheme("dump"),
};

/**
 * Reads where a monitor is: `1334` (a port of this machine), `127.0.0.1:1334`, `host:1334`,
 * `[::1]:1334`, `tcp:HOST:PORT`, `telnet:HOST:PORT`, `unix:/path`. What follows `-monitor` on QEMU's
 * command line works too, options such as `,server,nowait` included.
 *
 * @throws {InvalidArgumentError} if the text names no endpoint
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseEndpoint("1334"), { scheme: "tcp", host: "127.0.0.1", port: 1334 });
 * assertEquals(parseEndpoint("unix:/run/vm.sock"), { scheme: "unix", path: "/run/vm.sock" });
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) {
    return { scheme: "tcp", host: DEFAULT_HOST, port: parsePort(trimmed, text) };
  }
  const [, name, rest] = /^([a-z+]+):(.*)$/s.exec(trimmed) ?? [];
  // `vm:1334` is a host and a port, so only a known scheme counts as one.
  if (name !== undefined && rest !== undefined && Object.hasOwn(SCHEMES, name)) {
    return SCHEMES[name as keyof SchemeTable].parse(rest, text);
  }
  if (name !== undefined && /^[^:].*:|\//.test(rest!)) {
    const known = Object.keys(SCHEMES).map((scheme) => `${scheme}:`).join(", ");
    throw new InvalidArgumentError(
      `Not a monitor endpoint: "${text}"; there is no "${name}:" among ${known}`,
      text,
    );
  }
  if (trimmed.includes("/")) {
    const hint = /^[./]/.test(trimmed) ? `; for a Unix socket write unix:${trimmed}` : "";
    throw new InvalidArgumentError(`Not a monitor endpoint: "${text}"${hint}`, text);
  }
  return { scheme: "tcp", ...parseHostPort(withoutQemuOptions(trimmed), text) };
}

/**
 * Writes an endpoint the way a user would type it.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatEndpoint({ scheme: "tcp", host: "::1", port: 1334 }), "[::1]:1334");
 * ```
 */
export function formatEndpoint(endpoint: Endpoint): string {
  return schemeOf(endpoint).format(endpoint);
}

/**
 * Returns the permissions that opening an endpoint takes; every one of them is needed.
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint, permissionsFor } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(permissionsFor(parseEndpoint("1334")), [{ name: "net", host: "127.0.0.1:1334" }]);
 * ```
 */
export function permissionsFor(endpoint: Endpoint): Deno.PermissionDescriptor[] {
  return schemeOf(endpoint).permissions(endpoint);
}

/**
 * Returns the exact flags for `deno run` that let a script open an endpoint, or several, and nothing
 * else.
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint, permissionFor } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(permissionFor(parseEndpoint("1334")), "--allow-net=127.0.0.1:1334");
 * ```
 */
export function permissionFor(...endpoints: readonly Endpoint[]): string {
  const scopes = new Map<string, Set<string>>();
  for (const permission of endpoints.flatMap(permissionsFor)) {
    const known = scopes.get(permission.name) ?? new Set();
    scopes.set(permission.name, known.add(scopeOf(permission)));
  }
  return [...scopes].map(([name, all]) => permissionFlag(name, [...all])).join(" ");
}

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

const DEFAULT_HOST = "127.0.0.1";
const MAX_PORT = 65_535;
const DEBUG_TO_MONITOR = 100;

/** What QEMU takes after an address, so that the text behind `-monitor` can be pasted as it stands. */
const QEMU_OPTIONS = /(?:,(?:server|wait|nowait|nodelay|delay|ipv4|ipv6|reconnect)(?:=[^,]*)?)+$/;

/** A scheme that is another language on a socket: `qmp:4444`, `qmp:HOST:PORT`, `qmp:unix:/path`. */
function socketScheme<S extends "qmp" | "gdb">(
  scheme: S,
): Scheme<{ scheme: S; socket: TcpEndpoint | UnixEndpoint }> {
  return {
    parse(rest, text) {
      const socket = parseEndpoint(rest);
      if (socket.scheme === "tcp" || socket.scheme === "unix") return { scheme, socket };
      throw new InvalidArgumentError(
        `Not a monitor endpoint: "${text}"; behind ${scheme}: goes a port, HOST:PORT or unix:PATH`,
        text,
      );
    },
    format: ({ socket }) => `${scheme}:${formatEndpoint(socket)}`,
    permissions: ({ socket }) => permissionsFor(socket),
  };
}

/** A scheme whose endpoint is a file that is read. */
function fileScheme<S extends "replay" | "dump">(scheme: S): Scheme<{ scheme: S; path: string }> {
  return {
    parse: (rest, text) => ({ scheme, path: parsePath(rest, text, "a file's path") }),
    format: ({ path }) => `${scheme}:${path}`,
    permissions: ({ path }) => [{ name: "read", path }],
  };
}

function withoutQemuOptions(text: string): string {
  return text.replace(QEMU_OPTIONS, "");
}

function schemeOf(endpoint: Endpoint): Scheme<Endpoint> {
  // The table's row for this member takes this member: TypeScript cannot follow that by itself.
  return SCHEMES[endpoint.scheme] as unknown as Scheme<Endpoint>;
}

/** What a permission is limited to; empty if it is not. */
function scopeOf(permission: Deno.PermissionDescriptor): string {
  switch (permission.name) {
    case "net":
      return permission.host ?? "";
    case "run":
      return String(permission.command ?? "");
    case "read":
    case "write":
      // A comma stands between paths unless it is doubled.
      return String(permission.path ?? "").replaceAll(",", ",,");
    default:
      return "";
  }
}

function permissionFlag(name: string, scopes: readonly string[]): string {
  const flag = scopes.includes("") ? `--allow-${name}` : `--allow-${name}=${scopes.join(",")}`;
  return /[^\w@%+=:,./[\]-]/.test(flag) ? `'${flag.replaceAll("'", `'\\''`)}'` : flag;
}

function formatHostPort({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseHostPort(hostPort: string, text: string): { host: string; port: number } {
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

function parsePort(digits: string, text: string): number {
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

/** virsh takes a name as one word of a shell-like line, so none may hold a quote or a line end. */
function parseDomain(domain: string, text: string): string {
  if (!/^[^\s-]/.test(domain) || /['"\\]|[^\x20-\x7e\u00a0-\uffff]/.test(domain)) {
    throw new InvalidArgumentError(`Not a domain's name: "${domain}" in "${text}"`, text);
  }
  return domain;
}

function parseSshDomain(rest: string, text: string): { host: string; domain: string } {
  const [, host, domain] =
    /^\/\/((?:[\w.-]+@)?(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?)\/(.+)$/.exec(rest) ??
      [];
  if (host === undefined || host.startsWith("-")) {
    throw new InvalidArgumentError(
      `Not a monitor endpoint: "${text}"; expected libvirt+ssh://HOST/DOMAIN`,
      text,
    );
  }
  return { host, domain: parseDomain(domain!, text) };
}

function parsePath(path: string, text: string, what = "a socket's path"): string {
  if (path === "" || path.includes("\0")) {
    throw new InvalidArgumentError(`Not ${what}: "${path}" in "${text}"`, text);
  }
  return path;
}
