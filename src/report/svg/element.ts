import { escapeMessage } from "../../core/escape.ts";

/** What stands in an SVG element: other elements, or text. */
export type SvgContent = readonly SvgElement[] | string;

/** An SVG element as text, already escaped. */
export type SvgElement = string & { readonly __svg?: never };

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Writes text so that it is text in XML and HTML, whatever stands in it. */
export function escapeMarkup(text: string): string {
  // XML 1.0 has no way to write most control characters, so they become visible instead.
  return escapeMessage(text).replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** Writes one element. Attributes and text are escaped. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: SvgContent = [],
): SvgElement {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escapeMarkup(String(value))}"`).join("");
  const inside = typeof content === "string" ? escapeMarkup(content) : content.join("");
  return `<${name}${written}>${inside}</${name}>`;
}

// Colours for light and for dark pages, since a drawing alone has no page to ask.
const STYLE = "svg{color-scheme:light dark;font-family:ui-monospace,monospace;font-size:12px}" +
  ".ink{fill:#1b1f24}.dim{fill:#59636e}.set{fill:#cfe4ff}.clear{fill:#f6f8fa}.bad{fill:#ffd8d3}" +
  "text{white-space:pre}.small{font-size:10px}.strong{stroke-width:3}.edge{stroke:#818b98;fill:none}rect{stroke:#818b98}" +
  "@media(prefers-color-scheme:dark){.ink{fill:#f0f6fc}.dim{fill:#9198a1}.set{fill:#1f4a80}" +
  ".clear{fill:#151b23}.bad{fill:#7a2420}}";

/** A whole drawing, that stands alone in a file. `label` is what a screen reader says. */
export function drawing(
  size: { width: number; height: number },
  label: string,
  content: readonly SvgElement[],
): string {
  return element("svg", {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${size.width} ${size.height}`,
    width: size.width,
    height: size.height,
    role: "img",
    "aria-label": label,
  }, [`<style>${STYLE}</style>`, ...content]);
}

/** A line of text. */
export function text(x: number, y: number, content: string, kind = "ink"): SvgElement {
  return element("text", { x, y, class: kind }, content);
}

/** A line of text around its middle. */
export function middleText(x: number, y: number, content: string, kind = "ink"): SvgElement {
  return element("text", { x, y, class: kind, "text-anchor": "middle" }, content);
}

/** The width of a character in CSS pixels, at the drawings' 12 pixels: monospaced fonts have about this. */
const CHARACTER = 7.3;

/** Breaks a line at blanks so that it fits into a drawing; the lines after the first are moved in. */
export function brokenLine(line: string, widthPx: number, indent = ""): string[] {
  const room = Math.floor((widthPx - 16) / CHARACTER);
  const lines: string[] = [];
  let rest = line;
  while (rest.length > room) {
    const at = rest.lastIndexOf(" ", room);
    const end = at > indent.length + 8 ? at : room;
    lines.push(rest.slice(0, end));
    rest = indent + rest.slice(end).trimStart();
  }
  return [...lines, rest];
}
