/** The entries of this package, as users call them: they are there without an import map. */
const ENTRIES: Readonly<Record<string, () => Promise<unknown>>> = {
  "@pagewalk/pagewalk": () => import("../../../mod.ts"),
  "@pagewalk/pagewalk/devices": () => import("../../entries/devices.ts"),
  "@pagewalk/pagewalk/extend": () => import("../../entries/extend.ts"),
  "@pagewalk/pagewalk/linux": () => import("../../entries/linux.ts"),
  "@pagewalk/pagewalk/report": () => import("../../report/mod.ts"),
};

/** Imports a module for code typed at a prompt: relative paths start at the current directory. */
export function importFor(specifier: unknown, options?: ImportCallOptions): Promise<unknown> {
  const name = String(specifier);
  const entry = Object.hasOwn(ENTRIES, name) ? ENTRIES[name] : undefined;
  if (entry) return entry();
  const isPath = name.startsWith("./") || name.startsWith("../") || name.startsWith("/");
  const target = isPath ? new URL(name, directoryUrl()).href : name;
  return import(target, options);
}

function directoryUrl(): string {
  const path = Deno.cwd().replaceAll("\\", "/").replace(/^(?=[A-Za-z]:)/, "/");
  return `file://${encodeURI(path)}/`;
}
