import { InvalidArgumentError } from "../../core/errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { DEFAULT_HOST, parsePort } from "./host_port.ts";
import { SCHEMES, type SchemeTable } from "./schemes.ts";

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
    return SCHEMES[name as keyof SchemeTable].parse(rest, text, parseEndpoint);
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
  return SCHEMES.tcp.parse(trimmed, text, parseEndpoint);
}
