import type { EntryBits } from "../../translate/entry_bits.ts";
import type { Walk } from "../../translate/walk.ts";
import { drawBits } from "./bits_drawing.ts";
import { drawWalk } from "./walk_drawing.ts";

/**
 * Draws a walk, or the bits of an entry, as SVG that stands alone: for papers and issues. It follows the
 * reader's dark mode.
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
export function toSvg(drawn: Walk | EntryBits): string {
  return "fields" in drawn ? drawBits(drawn) : drawWalk(drawn);
}
