import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { tableIndex } from "./entry.ts";
import type { Regime } from "./regime.ts";
import { TableReader } from "./table_reader.ts";
import type { TableViews } from "./views_rule.ts";

/** Top entries looked at before the root counts as one without a partner. */
const MAX_ENTRIES_TRIED = 8;

/**
 * Finds the two views by the root alone: by the first top entries of the user's part that are there.
 *
 * @throws whatever the memory throws but a {@linkcode MemoryReadError}
 */
export async function findViews(
  memory: PhysicalMemory,
  regime: Regime,
  options: ReadOptions = {},
): Promise<TableViews | null> {
  const { rules: { views, kernel }, spans: [span], root } = regime;
  const decoder = span?.levels[0];
  if (!views || !decoder) return null;
  const last = tableIndex(BigInt.asUintN(span.addressBits, kernel.start) - 1n, decoder.format);
  const entries = await new TableReader(memory, span, options.signal).read({
    ...{ table: root, first: 0, last },
  });
  if (entries instanceof MemoryReadError) return null;
  let tried = 0;
  for (let index = 0; index <= last && tried < MAX_ENTRIES_TRIED; index++) {
    if (!entries.isPresent(index)) continue;
    tried++;
    const address = root + BigInt(index * span.entryBytes);
    const top = decoder.decode(entries.raw(index), address, index);
    const found = await views.find(memory, root, top, options);
    if (found) return found;
  }
  return null;
}
