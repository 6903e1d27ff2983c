/** Figures in rows and columns. */
export interface BenchTable {
  /** What stands above each column; the first names the rows. */
  head: readonly string[];
  /** The rows; one may be shorter than the head. */
  rows: readonly (readonly string[])[];
}

/** Prints a table, names to the left and figures to the right. */
export function printTable({ head, rows }: BenchTable): void {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  for (const row of all) {
    const cells = row.map((text, i) =>
      i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)
    );
    console.log(`  ${cells.join("  ")}`.trimEnd());
  }
}
