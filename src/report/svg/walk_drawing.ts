import { formatAddress } from "../../core/address.ts";
import { describeFault } from "../../translate/address_space.ts";
import type { PageTableEntry } from "../../translate/entry.ts";
import type { Right } from "../../translate/rights.ts";
import type { Walk } from "../../translate/walk.ts";
import { rightsText } from "../mappings_text.ts";
import { RIGHT_WORDS } from "../right_words.ts";
import { formatSize } from "../size.ts";
import { brokenLine, drawing, element, type SvgElement, text } from "./element.ts";

const WIDTH = 620;
const LEAST_WIDTH = 376;
const LINE = 17;
const GAP = 20;

/** One box of the drawing. */
interface Box {
  readonly kind: string;
  readonly lines: readonly string[];
}

/**
 * Draws a walk: each table's entry below the one that leads to it, with the rights that it decides, and
 * the page or what is wrong.
 */
export function drawWalk(walk: Walk, widthPx = Infinity): string {
  const width = Math.max(LEAST_WIDTH, Math.min(WIDTH, Math.floor(widthPx)));
  const { rules } = walk.regime;
  const title = `${formatAddress(walk.address)} (${walk.mode})`;
  const boxes: Box[] = [
    { kind: "clear", lines: [`${rules.rootName} ${formatAddress(walk.root)}`, "the root"] },
    ...walk.steps.map((entry) => stepBox(walk, entry)),
    lastBox(walk),
  ];
  const content: SvgElement[] = [text(8, 20, title)];
  let y = 32;
  boxes.forEach(({ kind, lines: [first, ...others] }, i) => {
    const rest = others.flatMap((line) => brokenLine(line, width - 20));
    const height = 12 + (1 + rest.length) * LINE;
    content.push(
      element("rect", { x: 8, y, width: width - 16, height, rx: 4, class: kind }),
      text(18, y + 19, first!),
      ...rest.map((line, n) => text(18, y + 19 + (n + 1) * LINE, line, "dim")),
    );
    y += height;
    if (i + 1 === boxes.length) return;
    const d = `M${width / 2} ${y}v${GAP}m-5 -6l5 6l5 -6`;
    content.push(element("path", { d, class: "edge" }));
    y += GAP;
  });
  return drawing({ width, height: y + 8 }, title, content);
}

function stepBox(walk: Walk, entry: PageTableEntry): Box {
  const isAbsent = entry.kind === "notPresent";
  const decided = decidedAt(walk, entry);
  const rights = isAbsent ? "not present" : rightsText(walk.regime.rules.rights.of(entry));
  // What closes a page to user mode is what one looks for.
  const closes = walk.outcome === "mapped" && decided.includes("user") && !walk.effective.user;
  return {
    kind: `${isAbsent || entry.reservedBits ? "bad" : "set"}${closes ? " strong" : ""}`,
    lines: [
      `${entry.name}[${entry.index}] ${formatAddress(entry.raw)}`,
      `${rights}, at ${formatAddress(entry.address)}`,
      ...decided.length > 0
        ? [`decides ${decided.map((right) => wordOf(walk, right)).join(", ")}`]
        : [],
    ],
  };
}

/** The rights for which this level decides. */
function decidedAt(walk: Walk, { level }: PageTableEntry): Right[] {
  if (walk.outcome !== "mapped") return [];
  return walk.regime.rules.rights.names.filter((right) => walk.decidedBy[right] === level);
}

function wordOf(walk: Walk, right: Right): string {
  const isAllowed = walk.outcome === "mapped" && walk.effective[right];
  return `${RIGHT_WORDS[right]} ${isAllowed ? "yes" : "no"}`;
}

function lastBox(walk: Walk): Box {
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
