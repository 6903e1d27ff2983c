import { InvalidArgumentError } from "../core/errors.ts";
import type { Walk } from "../translate/walk.ts";

/** How a result is printed; what it holds stays the same. */
export interface PrintStyle {
  /** As xv6's course prints page tables. @default as all else is printed here */
  readonly style?: "xv6";
}

/**
 * Takes the style out of options that were typed.
 *
 * @throws {InvalidArgumentError} if there is none of that name
 */
export function splitStyle<T extends PrintStyle>(
  options: T,
): [style: PrintStyle["style"], others: Omit<T, "style">] {
  const { style, ...others } = options;
  if (style !== undefined && style !== "xv6") {
    throw new InvalidArgumentError('The only style is "xv6"', style);
  }
  return [style, others];
}

/** Writes a walk in a style. It is loaded only where one is asked for. */
export async function styledWalk(_style: "xv6"): Promise<(walk: Walk) => string> {
  return (await import("../report/xv6_text.ts")).xv6WalkText;
}
