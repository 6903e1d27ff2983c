/** Returns the exact flags for `deno run` that grant some permissions, and nothing else. */
export function permissionFlags(permissions: readonly Deno.PermissionDescriptor[]): string {
  const scopes = new Map<string, Set<string>>();
  for (const permission of permissions) {
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
