import type { Endpoint } from "./endpoint.ts";
import { schemeOf } from "./schemes.ts";

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
