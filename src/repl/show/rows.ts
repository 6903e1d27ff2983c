import type { Style } from "../../report/style.ts";

/** How rows of one kind are written: one line each, with what stands above and below. */
export interface RowFormat<T> {
  /** Stands above the rows. */
  readonly head?: (style: Style) => string;
  /** Writes one row. */
  line(row: T, style: Style): string;
  /** Stands below the rows, also if there are none. */
  readonly foot?: (rows: readonly T[], style: Style) => string;
  /**
   * So many rows are written; a note says how to see the next.
   *
   * @default {40}
   */
  readonly shown?: number;
}

/** So many rows fit on a screen. */
export const SHOWN_ROWS = 40;

const formats = new WeakMap<object, RowFormat<never>>();

/**
 * Makes a list whose rows know how they are written, so that what is filtered or cut out of it is
 * printed as the table that it was.
 */
export function asRows<T extends object>(rows: T[], format: RowFormat<T>): T[] {
  for (const row of [rows, ...rows]) formats.set(row, format);
  return rows;
}

/** Writes a list of rows, or one of them; undefined if it is neither. */
export function renderRows(value: object, style: Style): string | undefined {
  const isList = Array.isArray(value);
  const format = formats.get(value) ?? (isList ? commonFormat(value) : undefined);
  return format && rowsText(isList ? value : [value], format as RowFormat<object>, style);
}

function rowsText<T>(rows: readonly T[], format: RowFormat<T>, style: Style): string {
  const { shown = SHOWN_ROWS } = format;
  const lines = rows.slice(0, shown).map((row) => format.line(row, style));
  if (format.head && rows.length > 0) lines.unshift(style.faint(format.head(style)));
  if (rows.length > shown) lines.push(moreText(rows.length, shown, style));
  const foot = format.foot?.(rows, style) ?? (rows.length === 0 ? "none" : "");
  return [...lines, ...foot === "" ? [] : [foot]].join("\n");
}

/**
 * Says how to see what is left out.
 *
 * @param list how the list is reached from the result
 */
export function moreText(all: number, shown: number, style: Style, list = "_"): string {
  return style.faint(`… ${all - shown} more of ${all}: ${list}.slice(${shown}) shows the next`);
}

/** The format that all members of a list have in common: a filter keeps it. */
function commonFormat(values: readonly unknown[]): RowFormat<never> | undefined {
  const [first] = values;
  const format = typeof first === "object" && first !== null ? formats.get(first) : undefined;
  const isCommon = format !== undefined &&
    values.every((value) => typeof value === "object" && value && formats.get(value) === format);
  return isCommon ? format : undefined;
}
