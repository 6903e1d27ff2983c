import { type PagingContext, withPhysicalBits } from "../arch/x86/paging_context.ts";
import { PAGING_MODES } from "../arch/x86/modes.ts";
import { CachingMemory } from "../memory/caching_memory.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { REREADINGS, saysTheSame, shuffled } from "./reread.ts";
import { type Walk, walk } from "./walk.ts";

/** Options of {@linkcode walkMany}. */
export interface WalkManyOptions extends ReadOptions {
  /** Asked for MAXPHYADDR once, where it matters and the context does not tell it; null if unknown. */
  learnPhysicalBits?: () => Promise<number | null>;
}

/**
 * Walks the same tables for many addresses, as {@linkcode walk} does for one, in the order given. A table
 * is read once for all of them, and again for `changedDuringWalk`: what it costs grows with the tables,
 * not with the addresses.
 *
 * @throws {InvalidArgumentError} if an address is none
 *
 * @example Usage
 * ```ts
 * import { pagingContext, walkMany } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const walks = await walkMany(guest.memory, context, [0x7f1234568000n, 0x7f1234567000n]);
 * assertEquals(walks.map(({ outcome }) => outcome), ["mapped", "mapped"]);
 * ```
 */
export async function walkMany(
  memory: PhysicalMemory,
  context: PagingContext,
  addresses: readonly bigint[],
  options: WalkManyOptions = {},
): Promise<Walk[]> {
  const { learnPhysicalBits, ...reads } = options;
  const walks = await walkAll(memory, context, addresses, reads);
  if (learnPhysicalBits && [...walks.values()].some(isTooHigh)) {
    const known = withPhysicalBits(context, await learnPhysicalBits());
    if (known !== context) return await walkMany(memory, known, addresses, reads);
  }
  const changed = await changedSteps(memory, context, walks.values(), reads);
  return addresses.map((address) => {
    const found = walks.get(address)!;
    const isChanged = found.steps.some((step) => changed.has(step.address));
    return isChanged ? { ...found, changedDuringWalk: true } : found;
  });
}

function isTooHigh(found: Walk): boolean {
  return found.outcome === "mapped" && found.mayBeBeyond === true;
}

/** Each address once, in ascending order: an absent entry answers for all addresses below it. */
async function walkAll(
  memory: PhysicalMemory,
  context: PagingContext,
  addresses: readonly bigint[],
  options: ReadOptions,
): Promise<Map<bigint, Walk>> {
  const cached = new CachingMemory(memory);
  const walks = new Map<bigint, Walk>();
  let absent: { readonly end: bigint; readonly walk: Walk } | null = null;
  for (const address of [...new Set(addresses)].sort((a, b) => a < b ? -1 : a > b ? 1 : 0)) {
    if (absent && address < absent.end) {
      walks.set(address, { ...absent.walk, address });
      continue;
    }
    const found = await walk(cached, context, address, { ...options, recheck: false });
    walks.set(address, found);
    absent = found.outcome === "notPresent" ? { end: endOf(found), walk: found } : null;
  }
  return walks;
}

/** The first address beyond those that an absent entry answers for. */
function endOf({ address, level, mode }: Walk & { outcome: "notPresent" }): bigint {
  const shift = BigInt(PAGING_MODES[mode].levels.find((format) => format.level === level)!.shift);
  return (address >> shift) + 1n << shift;
}

/** The entries that are not what the walks read, by another reading or a third. */
async function changedSteps(
  memory: PhysicalMemory,
  { mode }: PagingContext,
  walks: Iterable<Walk>,
  options: ReadOptions,
): Promise<Set<bigint>> {
  const { entryBytes } = PAGING_MODES[mode];
  const steps = new Map<bigint, bigint>();
  for (const { steps: taken } of walks) {
    for (const { address, raw } of taken) steps.set(address, raw);
  }
  const changed = new Set<bigint>();
  for (let readings = 0; readings < REREADINGS; readings++) {
    const again = new CachingMemory(memory);
    for (const [address, before] of shuffled([...steps])) {
      try {
        const bytes = await again.read(address, entryBytes, options);
        const view = new DataView(bytes.buffer, bytes.byteOffset, entryBytes);
        const now = entryBytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
        if (!saysTheSame(before, now)) changed.add(address);
      } catch (error) {
        if (!(error instanceof MemoryReadError)) throw error;
        changed.add(address);
      }
    }
  }
  return changed;
}
