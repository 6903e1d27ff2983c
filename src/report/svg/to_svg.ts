import { checkOptions } from "../../core/options.ts";
import type { EntryBits } from "../../translate/entry_bits.ts";
import type { Walk } from "../../translate/walk.ts";
import { drawBits } from "./bits_drawing.ts";
import { drawWalk } from "./walk_drawing.ts";

/** How a drawing is laid out. */
export interface DrawingOptions {
  /**
   * How many CSS pixels wide it may be: where it is few, bits stand in rows of 16 and lines are broken.
   * No drawing is narrower than 376.
   *
   * @default {Infinity}
   */
  widthPx?: number;
}

/**
 * Draws a walk, or the bits of an entry, as SVG that stands alone: for papers and issues. It follows the
 * reader's dark mode. In a walk the levels that decide a right say so, and the one that closes the page to
 * user mode has a thick edge.
 *
 * @example Usage
 * ```ts
 * import { bits, connect } from "@pagewalk/pagewalk";
 * import { toSvg } from "@pagewalk/pagewalk/report";
 * import { assert } from "@std/assert";
 *
 * assert(toSvg(bits(0x800000003ff0a863n)).startsWith("<svg"));
 *
 * await using guest = await connect("sim:");
 * const svg = toSvg(await guest.walk(0x7f1234567000n));
 * assert(svg.includes("PML4[254]"));
 * ```
 */
export function toSvg(drawn: Walk | EntryBits, options: DrawingOptions = {}): string {
  checkOptions(options, "the options of a drawing", { widthPx: wholeOrPart });
  const { widthPx = Infinity } = options;
  return "fields" in drawn ? drawBits(drawn, widthPx) : drawWalk(drawn, widthPx);
}

function wholeOrPart(value: unknown): string | null {
  return typeof value === "number" && value >= 0 ? null : "a number of pixels";
}
