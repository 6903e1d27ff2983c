import { formatAddress } from "../../core/address.ts";
import type { BitReading, EntryBits } from "../../translate/entry_bits.ts";
import { brokenLine, drawing, element, middleText, type SvgElement, text } from "./element.ts";

const CELL = 22;
const ROW_HEIGHT = 74;
const TOP = 34;
const LINE = 17;

/** Draws an entry: every bit in its place, the fields named, and what they say below. */
export function drawBits(entry: EntryBits, widthPx = Infinity): string {
  const width = entry.widthBits;
  const rowBits = widthPx < widthOf(32) ? 16 : 32;
  const drawingWidth = widthOf(rowBits);
  const rows = width / rowBits;
  const title = `${entry.entryName} ${formatAddress(entry.raw, width / 4)} (${entry.mode})`;
  const legend = entry.fields.filter((field) => field.value !== 0n || field.low === 0)
    .flatMap((field) => brokenLine(legendLine(field), drawingWidth, " ".repeat(7)));
  const legendTop = TOP + rows * ROW_HEIGHT + 10;
  const content: SvgElement[] = [text(8, 20, title)];
  for (let row = 0; row < rows; row++) {
    // The highest bits come first, as in the manuals.
    const highest = width - 1 - row * rowBits;
    content.push(...drawRow(entry, { highest, rowBits }, TOP + row * ROW_HEIGHT));
  }
  legend.forEach((line, i) => content.push(text(8, legendTop + i * LINE, line, "dim")));
  const size = { width: drawingWidth, height: legendTop + legend.length * LINE + 4 };
  return drawing(size, title, content);
}

function widthOf(rowBits: number): number {
  return rowBits * CELL + 16;
}

function drawRow(
  entry: EntryBits,
  { highest, rowBits }: { highest: number; rowBits: number },
  top: number,
): SvgElement[] {
  const xOf = (bit: number) => 8 + (highest - bit) * CELL;
  const lowest = highest - rowBits + 1;
  const content: SvgElement[] = [];
  for (let bit = highest; bit >= lowest; bit--) {
    const isSet = (entry.raw >> BigInt(bit)) & 1n;
    const field = fieldOf(entry, bit);
    const kind = field?.name === "reserved" && isSet ? "bad" : isSet ? "set" : "clear";
    content.push(
      element("g", {}, [
        element("title", {}, field ? legendLine(field) : `bit ${bit}`),
        element("rect", { x: xOf(bit), y: top + 14, width: CELL, height: 24, class: kind }),
        middleText(xOf(bit) + CELL / 2, top + 30, String(isSet)),
      ]),
    );
  }
  for (const field of entry.fields) {
    const high = Math.min(field.low + field.width - 1, highest);
    const low = Math.max(field.low, lowest);
    if (high < low) continue;
    const left = xOf(high);
    const right = xOf(low) + CELL;
    content.push(middleText(left + CELL / 2, top + 10, String(high), "dim"));
    if (high !== low) content.push(middleText(right - CELL / 2, top + 10, String(low), "dim"));
    content.push(
      element("path", { d: `M${left + 2} ${top + 42}H${right - 2}`, class: "edge" }),
      middleText((left + right) / 2, top + 56, short(field.name, high - low + 1), "ink small"),
    );
  }
  return content;
}

function fieldOf(entry: EntryBits, bit: number): BitReading | undefined {
  return entry.fields.find(({ low, width }) => bit >= low && bit < low + width);
}

/** Three letters fit below one bit. */
function short(name: string, bits: number): string {
  return bits === 1 ? name.slice(0, 3) : name.slice(0, bits * 3);
}

function legendLine({ low, width, name, linuxName, value, meaning }: BitReading): string {
  const where = width === 1 ? `${low}` : `${low + width - 1}:${low}`;
  const what = width === 1 ? `${value}` : formatAddress(value);
  return `${where.padStart(5)}  ${
    linuxName ? `${name} (${linuxName})` : name
  } = ${what}: ${meaning}`;
}
