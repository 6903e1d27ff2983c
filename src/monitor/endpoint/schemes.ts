import type { Endpoint } from "./endpoint.ts";
import { LIBVIRT, LIBVIRT_SSH } from "./domain_schemes.ts";
import { parsePath } from "./path.ts";
import type { Scheme } from "./scheme.ts";
import { onSocket, TCP, TELNET, UNIX } from "./socket_schemes.ts";

/** A row for each member of {@linkcode Endpoint}. */
export type SchemeTable = { [S in Endpoint["scheme"]]: Scheme<Extract<Endpoint, { scheme: S }>> };

/** Every scheme, by what stands before the colon. */
export const SCHEMES: SchemeTable = {
  tcp: TCP,
  telnet: TELNET,
  unix: UNIX,
  qmp: onSocket("qmp"),
  gdb: onSocket("gdb"),
  libvirt: LIBVIRT,
  "libvirt+ssh": LIBVIRT_SSH,
  sim: {
    parse: (name) => ({ scheme: "sim", name }),
    format: (endpoint) => `sim:${endpoint.name}`,
    permissions: () => [],
  },
  replay: fileScheme("replay"),
  dump: fileScheme("dump"),
};

/** Returns the row of an endpoint's scheme. */
export function schemeOf(endpoint: Endpoint): Scheme<Endpoint> {
  // The table's row for this member takes this member: TypeScript cannot follow that by itself.
  return SCHEMES[endpoint.scheme] as unknown as Scheme<Endpoint>;
}

/** A scheme whose endpoint is a file that is read. */
function fileScheme<S extends "replay" | "dump">(scheme: S): Scheme<{ scheme: S; path: string }> {
  return {
    parse: (rest, text) => ({ scheme, path: parsePath(rest, text, "a file's path") }),
    format: ({ path }) => `${scheme}:${path}`,
    permissions: ({ path }) => [{ name: "read", path }],
  };
}
