import { escapeLines, escapeMessage, hasUnsafe } from "../../core/escape.ts";
import { PLAIN, type Style } from "../../report/style.ts";
import { fitTables, fitText } from "./fit.ts";
import { groupHex } from "./group_hex.ts";
import { isOwnText } from "./own_text.ts";
import { renderKnown } from "./renderers.ts";
import { moreText, SHOWN_ROWS } from "./rows.ts";

/** How values are written. */
export interface ShowOptions {
  readonly style: Style;
  /** Whether the style has colours, for what Deno writes. */
  readonly colours: boolean;
  /** How wide the terminal is, where there is one: tables are cut there. */
  readonly columns?: () => number;
}

/**
 * Writes a value as a prompt prints it: known results as their tables, text with its line breaks but
 * otherwise escaped, whole numbers as bigints in hexadecimal, everything else as Deno writes it.
 */
export function showValue(value: unknown, options: ShowOptions): string {
  if (typeof value === "string") {
    if (!isOwnText(value)) return escapeLines(value);
    return options.columns ? fitText(value, options.columns()) : value;
  }
  if (typeof value === "bigint") return options.style.value(groupHex(value));
  if (typeof value === "object" && value !== null || typeof value === "function") {
    const known = renderKnown(value, options.style);
    if (known !== undefined) return options.columns ? fitTables(known, options.columns()) : known;
    const listed = Array.isArray(value) && showList(value, options);
    if (listed) return options.columns ? fitTables(listed, options.columns()) : listed;
  }
  // Deno escapes some of it where it quotes, and nothing in errors, symbols and names. What it paints
  // cannot be told from what it lets through, so that what lets something through is not painted.
  const plain = inspect(value, { style: PLAIN, colours: false });
  if (hasUnsafe(plain)) return plain.split("\n").map(escapeMessage).join("\n");
  return options.colours ? inspect(value, options) : plain;
}

function inspect(value: unknown, { style, colours }: ShowOptions): string {
  return Deno.inspect(withHexBigints(value, style), {
    colors: colours,
    depth: 4,
    iterableLimit: 100,
    strAbbreviateSize: 1000,
  });
}

/** A list of results of known kinds is written one after the other. */
function showList(values: readonly unknown[], { style }: ShowOptions): string | undefined {
  if (values.length === 0) return undefined;
  const texts: string[] = [];
  for (const value of values.slice(0, SHOWN_ROWS)) {
    if (typeof value !== "object" || value === null) return undefined;
    const text = renderKnown(value, style);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  if (values.length > SHOWN_ROWS) texts.push(moreText(values.length, SHOWN_ROWS, style));
  const separator = texts.some((text) => text.includes("\n")) ? "\n\n" : "\n";
  return texts.join(separator);
}

/** A bigint as `Deno.inspect` is to write it. */
class HexBigint {
  readonly #text: string;

  constructor(value: bigint, style: Style) {
    this.#text = style.value(groupHex(value));
  }

  [Symbol.for("Deno.customInspect")](): string {
    return this.#text;
  }
}

/**
 * Copies arrays, plain objects, maps and sets with their bigints replaced, since `Deno.inspect` would
 * write those in decimal. What has a class is left alone: its state is not for us to copy.
 */
function withHexBigints(
  value: unknown,
  style: Style,
  copies = new Map<object, unknown>(),
): unknown {
  if (typeof value === "bigint") return new HexBigint(value, style);
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const copy = emptyLike(value);
  if (copy === undefined) return value;
  copies.set(value, copy);
  const replace = (part: unknown) => withHexBigints(part, style, copies);
  if (value instanceof Map && copy instanceof Map) {
    for (const [key, part] of value) copy.set(replace(key), replace(part));
  } else if (value instanceof Set && copy instanceof Set) {
    for (const part of value) copy.add(replace(part));
  } else {
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
      if ("value" in property) property.value = replace(property.value);
      if (key !== "length") Object.defineProperty(copy, key, property);
    }
  }
  return copy;
}

function emptyLike(value: object): object | undefined {
  if (Array.isArray(value)) return new Array(value.length);
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return {};
  return prototype === null ? Object.create(null) : undefined;
}
