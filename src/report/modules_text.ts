import { escapeText } from "../core/escape.ts";
import type { LinuxModule } from "../linux/modules/linux_module.ts";
import { completeLineOptions, type LineOptions } from "./line_options.ts";

/** What a line tells of a module. */
export type ModuleOfLine = Pick<LinuxModule, "base" | "lengthBytes" | "name" | "state">;

/** An address as long as any in the kernel. */
const LONG = 0xffff_ffff_ffff_ffffn;

/**
 * The head of the columns that {@linkcode moduleLine} writes.
 *
 * @example Usage
 * ```ts
 * import { modulesHead } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modulesHead(), "BASE                   SIZE NAME");
 * ```
 */
export function modulesHead(options: LineOptions = {}): string {
  return row("BASE", "SIZE", "NAME", options);
}

/**
 * Writes a module as a line: where it lies, how many bytes it has, its name, and its state unless it runs.
 *
 * @example Usage
 * ```ts
 * import { moduleLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const module = { base: 0xffffffffc0361000n, lengthBytes: 49152, name: "vfio" };
 * assertEquals(moduleLine({ ...module, state: "live" }), "0xffffffffc0361000    49152 vfio");
 * assertEquals(
 *   moduleLine({ ...module, state: "going" }),
 *   "0xffffffffc0361000    49152 vfio (going)",
 * );
 * ```
 */
export function moduleLine(module: ModuleOfLine, options: LineOptions = {}): string {
  const { base, lengthBytes, name, state } = module;
  const { address } = completeLineOptions(options);
  const what = state === "live" ? escapeText(name) : `${escapeText(name)} (${escapeText(state)})`;
  return row(address(base), String(lengthBytes), what, options);
}

function row(base: string, size: string, name: string, options: LineOptions): string {
  const width = completeLineOptions(options).address(LONG).length;
  return `${base.padEnd(width)} ${size.padStart(8)} ${name}`;
}
