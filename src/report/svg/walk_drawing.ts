import { formatAddress } from "../../core/address.ts";
import { describeFault } from "../../translate/address_space.ts";
import type { Walk } from "../../translate/walk.ts";
import { rightsText } from "../mappings_text.ts";
import { formatSize } from "../size.ts";
import { drawing, element, type SvgElement, text } from "./element.ts";

const WIDTH = 620;
const BOX = 46;
const STEP = 66;

/** Draws a walk: each table's entry below the one that leads to it, and the page or what is wrong. */
export function drawWalk(walk: Walk): string {
  const { rules } = walk.regime;
  const title = `${formatAddress(walk.address)} (${walk.mode})`;
  const boxes: { kind: string; lines: [string, string] }[] = [
    { kind: "clear", lines: [`${rules.rootName} ${formatAddress(walk.root)}`, "the root"] },
    ...walk.steps.map((entry) => {
      const rights = entry.kind === "notPresent"
        ? "not present"
        : rightsText(rules.rights.of(entry));
      return {
        kind: entry.kind === "notPresent" || entry.reservedBits ? "bad" : "set",
        lines: [
          `${entry.name}[${entry.index}] ${formatAddress(entry.raw)}`,
          `${rights}, at ${formatAddress(entry.address)}`,
        ] as [string, string],
      };
    }),
    last(walk),
  ];
  const content: SvgElement[] = [text(8, 20, title)];
  boxes.forEach(({ kind, lines: [first, second] }, i) => {
    const y = 32 + i * STEP;
    content.push(
      element("rect", { x: 8, y, width: WIDTH - 16, height: BOX, rx: 4, class: kind }),
      text(18, y + 19, first),
      text(18, y + 36, second, "dim"),
    );
    if (i + 1 < boxes.length) {
      const middle = WIDTH / 2;
      const d = `M${middle} ${y + BOX}v${STEP - BOX}m-5 -6l5 6l5 -6`;
      content.push(element("path", { d, class: "edge" }));
    }
  });
  return drawing({ width: WIDTH, height: 32 + boxes.length * STEP }, title, content);
}

function last(walk: Walk): { kind: string; lines: [string, string] } {
  if (walk.outcome !== "mapped") return { kind: "bad", lines: [walk.outcome, describeFault(walk)] };
  const { physicalAddress, pageSizeBytes, effective } = walk;
  return {
    kind: "clear",
    lines: [
      `physical ${formatAddress(physicalAddress)}`,
      `${rightsText(effective)} after all levels, page of ${formatSize(pageSizeBytes)}`,
    ],
  };
}
