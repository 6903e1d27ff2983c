import type { PagingContext } from "../arch/x86/paging_context.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { PAGING_MODES } from "../arch/x86/modes.ts";
import { walk } from "../translate/walk.ts";
import { findKptiPair, type KptiPair } from "./kpti_pair.ts";

/** A process maps its program, its libraries and its stack under a few top entries. */
const MAX_ENTRIES_TRIED = 8;

/**
 * Finds the KPTI pair that a root belongs to without knowing an address that it maps: the first user
 * entries of the top table are tried. Returns null if there is none, or if user code has nothing mapped.
 *
 * @throws whatever the memory throws but a {@linkcode MemoryReadError}
 */
export async function findKptiPairOfRoot(
  memory: PhysicalMemory,
  context: PagingContext,
  options: ReadOptions = {},
): Promise<KptiPair | null> {
  if (!context.mode.endsWith("-level")) return null;
  const { shift } = PAGING_MODES[context.mode].levels[0]!;
  let entries: BigUint64Array;
  try {
    const bytes = await memory.read(context.root, 256 * 8, options);
    entries = new BigUint64Array(bytes.slice().buffer);
  } catch (error) {
    if (error instanceof MemoryReadError) return null;
    throw error;
  }
  const present = [...entries.keys()].filter((index) => entries[index]! & 1n);
  for (const index of present.slice(0, MAX_ENTRIES_TRIED)) {
    const address = BigInt(index) << BigInt(shift);
    const found = await walk(memory, context, address, { ...options, recheck: false });
    const pair = await findKptiPair(memory, context, found, options);
    if (pair) return pair;
  }
  return null;
}
