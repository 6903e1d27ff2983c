/** A cell of a table: its text, and how it is painted once its width is known. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
  /** @default {"left"} */
  readonly align?: "left" | "right";
}

/** Makes a cell. */
export function cell(text: string, paint?: (text: string) => string): Cell {
  return { text, ...paint && { paint } };
}

/** Makes a cell that is aligned to the right, as numbers are. */
export function numberCell(text: string, paint?: (text: string) => string): Cell {
  return { ...cell(text, paint), align: "right" };
}

/** Writes rows of cells as aligned columns, two blanks apart, without blanks at the ends of lines. */
export function columns(rows: readonly (readonly Cell[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach(({ text }, i) => widths[i] = Math.max(widths[i] ?? 0, text.length));
  }
  return rows.map((row) => rowText(row, widths)).join("\n");
}

function rowText(row: readonly Cell[], widths: readonly number[]): string {
  const last = row.findLastIndex(({ text }) => text !== "");
  return row.slice(0, last + 1).map(({ text, paint, align }, i) => {
    const blanks = " ".repeat(widths[i]! - text.length);
    const painted = paint ? paint(text) : text;
    if (align === "right") return blanks + painted;
    return i === last ? painted : painted + blanks;
  }).join("  ");
}
