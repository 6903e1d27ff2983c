import { InvalidArgumentError } from "../core/errors.ts";
import { type Endpoint, parseSocket, refuseTerminal } from "../monitor/endpoint.ts";
import type { Connector } from "./connector.ts";
import { permissionFlags } from "../core/permission_flags.ts";

const known: Connector[] = [];

/**
 * Makes a connector known: from then on `connect()` and `parseEndpoint()` take its endpoints. Disposing
 * of what it returns makes it unknown again.
 *
 * @throws {InvalidArgumentError} if a scheme is none, or another connector has it
 *
 * @example A connector of one's own
 * ```ts
 * import { connect, HmpClient } from "@pagewalk/pagewalk";
 * import { type Connector, monitorSource, registerConnector } from "@pagewalk/pagewalk/extend";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const LAB: Connector<{ scheme: "lab"; machine: string }> = {
 *   name: "machine of the lab",
 *   usage: "lab:MACHINE",
 *   schemes: { lab: (machine) => ({ scheme: "lab", machine }) },
 *   describe: ({ machine }) => `lab:${machine}`,
 *   permissions: () => [],
 *   open: async () => monitorSource(await HmpClient.open(simulatedGuest().transport())),
 * };
 * using _ = registerConnector(LAB);
 * await using guest = await connect("lab:seven");
 * assertEquals((await guest.verify(0x7f1234567000n)).verdict, "pass");
 * ```
 */
export function registerConnector<E extends Endpoint>(connector: Connector<E>): Disposable {
  for (const scheme of Object.keys(connector.schemes)) {
    const other = connectorBy(scheme);
    if (other !== undefined) {
      const message = `Two connectors have "${scheme}:": ${other.name} and ${connector.name}`;
      throw new InvalidArgumentError(message, scheme);
    }
    if (/^[a-z]+(?:\+[a-z]+)*$/.test(scheme)) continue;
    throw new InvalidArgumentError(`Not a scheme: "${scheme}"; small letters and "+" only`, scheme);
  }
  known.push(connector);
  return { [Symbol.dispose]: () => void known.splice(known.indexOf(connector), 1) };
}

/**
 * The connectors, in the order in which they became known.
 *
 * @example Usage
 * ```ts
 * import { connectors } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const gdb = connectors().find(({ schemes }) => "gdb" in schemes);
 * assertEquals([gdb?.name, gdb?.usage], ["gdbstub", "gdb:…"]);
 * ```
 */
export function connectors(): readonly Connector[] {
  return known;
}

/** The schemes of all connectors. */
function knownSchemes(): string[] {
  return known.flatMap(({ schemes }) => Object.keys(schemes));
}

/** Returns the connector that has a scheme, if any. */
export function connectorBy(scheme: string): Connector | undefined {
  return known.find(({ schemes }) => Object.hasOwn(schemes, scheme));
}

/**
 * Returns the connector of an endpoint.
 *
 * @throws {InvalidArgumentError} if nobody knows its scheme
 */
export function connectorOf({ scheme }: Endpoint): Connector {
  const connector = connectorBy(scheme);
  if (connector !== undefined) return connector;
  const all = knownSchemes().map((name) => `${name}:`).join(", ");
  throw new InvalidArgumentError(`There is no "${scheme}:" among ${all}`, scheme);
}

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
