import { escapeText } from "../core/escape.ts";
import type { KernelSymbol, SymbolAt } from "../linux/kallsyms/kallsyms.ts";
import { completeLineOptions, type LineOptions } from "./line_options.ts";

/**
 * Writes a symbol and a distance from it as the kernel does.
 *
 * @example Usage
 * ```ts
 * import { symbolName } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(symbolName({ name: "default_idle", offset: 11 }), "default_idle+0xb");
 * assertEquals(symbolName({ name: "default_idle", offset: 0 }), "default_idle");
 * assertEquals(
 *   symbolName({ name: "vfio_open", offset: 4, module: "vfio" }),
 *   "vfio_open+0x4 [vfio]",
 * );
 * ```
 */
export function symbolName(
  { name, offset, module }: Pick<SymbolAt, "name" | "offset" | "module">,
): string {
  const escaped = escapeText(name);
  const at = offset === 0 ? escaped : `${escaped}+0x${offset.toString(16)}`;
  return module === undefined ? at : `${at} [${escapeText(module)}]`;
}

/**
 * Writes a symbol, or an address that belongs to one, as a line: address, type, name.
 *
 * @example Usage
 * ```ts
 * import { symbolLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const symbol = { address: 0xffffffff82a1b540n, type: "D", name: "init_task" };
 * assertEquals(symbolLine(symbol), "0xffffffff82a1b540 D init_task");
 * assertEquals(symbolLine({ ...symbol, offset: 8 }), "0xffffffff82a1b548 D init_task+0x8");
 * ```
 */
export function symbolLine(
  { address, offset = 0, type, ...rest }: KernelSymbol & Partial<SymbolAt>,
  options: LineOptions = {},
): string {
  const { style, address: write } = completeLineOptions(options);
  const at = style.value(write(address + BigInt(offset)));
  return `${at} ${escapeText(type)} ${symbolName({ ...rest, offset })}`;
}
