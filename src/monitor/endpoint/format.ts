import type { Endpoint } from "./endpoint.ts";
import { schemeOf } from "./schemes.ts";

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
