import { InvalidArgumentError } from "../core/errors.ts";
import { permissionFlags } from "../core/permission_flags.ts";
import { type Endpoint, parseSocket, refuseTerminal } from "../monitor/endpoint/mod.ts";
import { connectorBy, connectorOf, knownSchemes } from "./registry.ts";

/**
 * Reads where a guest is: `1334` (a port of this machine), `127.0.0.1:1334`, `host:1334`,
 * `[::1]:1334`, `tcp:HOST:PORT`, `telnet:HOST:PORT`, `unix:/path`, and what the other connectors take.
 * What follows `-monitor` on QEMU's command line works too, options such as `,server,nowait` included.
 *
 * @throws {InvalidArgumentError} if the text names no endpoint
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint: unknown = parseEndpoint("1334");
 * assertEquals(endpoint, { scheme: "tcp", host: "127.0.0.1", port: 1334 });
 * assertEquals(parseEndpoint("unix:/run/vm.sock").scheme, "unix");
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  const trimmed = text.trim();
  const [, name, rest] = /^([a-z+]+):(.*)$/s.exec(trimmed) ?? [];
  if (name === undefined || rest === undefined) return parseWithoutScheme(trimmed, text);
  // `vm:1334` is a host and a port, so only a known scheme counts as one.
  const connector = connectorBy(name);
  if (connector !== undefined) return connector.schemes[name]!(rest, text);
  if (/^[^:].*:|\//.test(rest)) {
    const known = knownSchemes().map((scheme) => `${scheme}:`).join(", ");
    throw new InvalidArgumentError(
      `Not a monitor endpoint: "${text}"; there is no "${name}:" among ${known}`,
      text,
    );
  }
  return parseWithoutScheme(trimmed, text);
}

function parseWithoutScheme(trimmed: string, text: string): Endpoint {
  if (trimmed.includes("/")) {
    refuseTerminal(trimmed, text);
    const hint = /^[./]/.test(trimmed) ? `; for a Unix socket write unix:${trimmed}` : "";
    throw new InvalidArgumentError(`Not a monitor endpoint: "${text}"${hint}`, text);
  }
  return parseSocket(trimmed, text);
}

/**
 * Writes an endpoint the way a user would type it.
 *
 * @throws {InvalidArgumentError} if no connector knows its scheme
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatEndpoint({ scheme: "tcp", host: "::1", port: 1334 }), "[::1]:1334");
 * ```
 */
export function formatEndpoint<E extends Endpoint>(endpoint: E): string {
  return connectorOf(endpoint).describe(endpoint);
}

/**
 * Returns the permissions that opening an endpoint takes; every one of them is needed.
 *
 * @throws {InvalidArgumentError} if no connector knows its scheme
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint, permissionsFor } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(permissionsFor(parseEndpoint("1334")), [{ name: "net", host: "127.0.0.1:1334" }]);
 * ```
 */
export function permissionsFor<E extends Endpoint>(endpoint: E): Deno.PermissionDescriptor[] {
  return connectorOf(endpoint).permissions(endpoint);
}

/**
 * Returns the exact flags for `deno run` that let a script open an endpoint, or several, and nothing
 * else.
 *
 * @throws {InvalidArgumentError} if no connector knows a scheme
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint, permissionFor } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(permissionFor(parseEndpoint("1334")), "--allow-net=127.0.0.1:1334");
 * ```
 */
export function permissionFor<E extends Endpoint>(...endpoints: readonly E[]): string {
  return permissionFlags(endpoints.flatMap(permissionsFor));
}
