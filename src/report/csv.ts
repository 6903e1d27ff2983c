import { escapeText } from "../core/escape.ts";

/** With these a spreadsheet begins a formula (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Writes a line of CSV (RFC 4180). Text is escaped as on a terminal, and an apostrophe stands before what
 * a spreadsheet would take for a formula; numbers are left alone.
 */
export function csvLine(cells: readonly (string | number)[]): string {
  return cells.map((cell) => typeof cell === "number" ? String(cell) : csvText(cell)).join(",");
}

function csvText(text: string): string {
  const guarded = FORMULA.test(text) ? `'${text}` : text;
  const escaped = escapeText(guarded);
  return /[",]/.test(escaped) ? `"${escaped.replaceAll('"', '""')}"` : escaped;
}
