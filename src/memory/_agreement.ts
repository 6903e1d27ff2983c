/** How one place in memory is read by two ways. */
export interface TwoWays {
  /** By the file. */
  file(): Promise<Uint8Array>;
  /** By the monitor. */
  monitor(): Promise<Uint8Array>;
}

/** A guest that runs may write between two readings, but hardly in each of so many. */
const TRIES = 8;
const WORD_BYTES = 8;

/**
 * Reads a place by both ways until they agree on each word. The file is read before and after the monitor,
 * so that a write in between is told from a file that holds something else. A word that never agrees and
 * changes in the file meanwhile is taken for one that the guest keeps writing: an old copy does not change.
 *
 * @returns the bytes last read from the file, and the offset of the first word that differs, if any
 */
export async function readByBoth(
  ways: TwoWays,
): Promise<{ bytes: Uint8Array; differsAt: number | null }> {
  let bytes = await ways.file();
  let open = words(bytes.length);
  for (let tries = 0; tries < TRIES && open.length > 0; tries++) {
    const told = await ways.monitor();
    const after = await ways.file();
    open = open.filter((at) => {
      const now = wordAt(after, at);
      const before = wordAt(bytes, at);
      return wordAt(told, at) !== now && wordAt(told, at) !== before && now === before;
    });
    bytes = after;
  }
  return { bytes, differsAt: open[0] ?? null };
}

function words(lengthBytes: number): number[] {
  return Array.from({ length: Math.ceil(lengthBytes / WORD_BYTES) }, (_, i) => i * WORD_BYTES);
}

function wordAt(bytes: Uint8Array, at: number): string {
  return bytes.subarray(at, at + WORD_BYTES).join();
}
