import { escapeText } from "../core/escape.ts";
import { checkOptions, LIST, OBJECT } from "../core/options.ts";
import type { LayoutMember, StructLayout } from "../linux/btf/btf.ts";
import { PLAIN, type Style } from "./style.ts";

/**
 * Writes a member of a kernel's struct as C does, behind its distance from the start in bytes.
 *
 * @example Usage
 * ```ts
 * import { memberLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const line = memberLine({ offset: 8, type: "struct list_head *", name: "prev" });
 * assertEquals(line, "  /*     8 *\/ struct list_head * prev;");
 * ```
 */
export function memberLine({ offset, type, name, bits }: LayoutMember): string {
  const what = `${escapeText(type)} ${escapeText(name)}`;
  return `  /* ${String(offset).padStart(5)} */ ${what}${bits ? ` : ${bits.width}` : ""};`;
}

/** How a layout is written. */
export interface LayoutTextOptions {
  /**
   * With which colours.
   *
   * @default {PLAIN}
   */
  readonly style?: Style;
  /**
   * What stands between the braces.
   *
   * @default a line for each member
   */
  readonly lines?: readonly string[];
}

/**
 * Writes the layout of a kernel's struct or union as C does.
 *
 * @example Usage
 * ```ts
 * import { layoutText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const members = [{ offset: 0, type: "int", name: "counter" }];
 * const text = layoutText({ kind: "struct", name: "atomic_t", sizeBytes: 4, members });
 * assertEquals(text.split("\n").length, 3);
 * ```
 */
export function layoutText(layout: StructLayout, options: LayoutTextOptions = {}): string {
  checkOptions(options, "the options of a layout", { style: OBJECT, lines: LIST });
  const { kind, name, members, sizeBytes } = layout;
  const { style = PLAIN, lines = members.map(memberLine) } = options;
  return [
    `${style.strong(escapeText(`${kind} ${name}`))} {`,
    ...lines,
    `} /* ${sizeBytes} bytes */`,
  ].join(
    "\n",
  );
}
