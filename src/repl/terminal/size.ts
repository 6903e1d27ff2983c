/** The terminal's size in characters. */
export function size(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    // No terminal is attached any more: the size of the terminals of old.
    return { columns: 80, rows: 24 };
  }
}
