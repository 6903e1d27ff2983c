/** What users call this package; it is there without an import map. */
const PACKAGE = "@pagewalk/pagewalk";

/** Imports a module for code typed at a prompt: relative paths start at the current directory. */
export function importFor(specifier: unknown, options?: ImportCallOptions): Promise<unknown> {
  const name = String(specifier);
  if (name === PACKAGE) return import("../../../mod.ts");
  if (name === `${PACKAGE}/report`) return import("../../report/mod.ts");
  const isPath = name.startsWith("./") || name.startsWith("../") || name.startsWith("/");
  const target = isPath ? new URL(name, directoryUrl()).href : name;
  return import(target, options);
}

function directoryUrl(): string {
  const path = Deno.cwd().replaceAll("\\", "/").replace(/^(?=[A-Za-z]:)/, "/");
  return `file://${encodeURI(path)}/`;
}
