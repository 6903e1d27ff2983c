import { checkOptions, FUNCTION, type OptionShape, SIGNAL } from "../core/options.ts";
import { CachingMemory } from "../memory/caching_memory.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { type AddressSpan, levelOf, type Regime, spanAt } from "./regime.ts";
import { REREADINGS, saysTheSame, shuffled } from "./entry.ts";
import { type MappedWalk, type Walk, walk } from "./walk.ts";

/** Options of {@linkcode walkMany}. */
export interface WalkManyOptions extends ReadOptions {
  /** Asked once how many bits a physical address has, where a page lies so high that it matters. */
  learnPhysicalBits?: () => Promise<number | null>;
}

/** The checks of {@linkcode WalkManyOptions}. */
export const WALK_MANY_SHAPE: OptionShape<WalkManyOptions> = {
  signal: SIGNAL,
  learnPhysicalBits: FUNCTION,
};

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
  regime: Regime,
  addresses: readonly bigint[],
  options: WalkManyOptions = {},
): Promise<Walk[]> {
  checkOptions(options, "the options of a walk", WALK_MANY_SHAPE);
  const { learnPhysicalBits, ...reads } = options;
  const walks = await walkAll(memory, regime, addresses, reads);
  const bits = learnPhysicalBits && [...walks.values()].some(isTooHigh)
    ? await learnPhysicalBits()
    : null;
  const changed = await changedEntries(memory, walks.values(), reads);
  return addresses.map((address) => {
    const found = walks.get(address)!;
    const isChanged = found.steps.some((step) => changed.has(step.address));
    const changedDuringWalk = found.changedDuringWalk || isChanged;
    if (bits === null || !isTooHigh(found) || found.physicalAddress >> BigInt(bits) !== 0n) {
      return { ...found, changedDuringWalk };
    }
    const { mayBeBeyond: _, ...known } = found;
    return { ...known, changedDuringWalk };
  });
}

function isTooHigh(found: Walk): found is MappedWalk {
  return found.outcome === "mapped" && found.mayBeBeyond === true;
}

/** Each address once, in ascending order: an absent entry answers for all addresses below it. */
async function walkAll(
  memory: PhysicalMemory,
  regime: Regime,
  addresses: readonly bigint[],
  options: ReadOptions,
): Promise<Map<bigint, Walk>> {
  // In a guest within a guest each entry is behind tables of its own, which the walk itself reads again.
  const isNested = regime.stage2 !== undefined;
  const cached = isNested ? memory : new CachingMemory(memory);
  const walks = new Map<bigint, Walk>();
  let absent: { readonly end: bigint; readonly walk: Walk } | null = null;
  for (const address of [...new Set(addresses)].sort((a, b) => a < b ? -1 : a > b ? 1 : 0)) {
    if (absent && address < absent.end) {
      walks.set(address, { ...absent.walk, address });
      continue;
    }
    const found = await walk(cached, regime, address, { ...options, recheck: isNested });
    walks.set(address, found);
    absent = found.outcome === "notPresent" ? { end: endOf(found), walk: found } : null;
  }
  return walks;
}

/** The first address beyond those that an absent entry answers for. */
function endOf({ address, level, regime }: Walk & { outcome: "notPresent" }): bigint {
  const shift = BigInt(levelOf(regime, level, address)!.format.shift);
  return (address >> shift) + 1n << shift;
}

/** The entries that are not what the walks read, by another reading or a third. */
async function changedEntries(
  memory: PhysicalMemory,
  walks: Iterable<Walk>,
  options: ReadOptions,
): Promise<Set<bigint>> {
  const entries = new Map<bigint, { raw: bigint; span: AddressSpan }>();
  for (const { regime, address, steps } of walks) {
    const span = spanAt(regime, address);
    if (span) { for (const step of steps) entries.set(step.address, { raw: step.raw, span }); }
  }
  const changed = new Set<bigint>();
  for (let readings = 0; readings < REREADINGS; readings++) {
    const again = new CachingMemory(memory);
    for (const [address, { raw, span }] of shuffled([...entries])) {
      const now = await readEntry(again, address, span, options);
      if (now === null || !saysTheSame(raw, now, span.hardwareBits)) changed.add(address);
    }
  }
  return changed;
}

/** Reads one entry; null if it cannot be read any more. */
async function readEntry(
  memory: PhysicalMemory,
  address: bigint,
  { entryBytes }: AddressSpan,
  options: ReadOptions,
): Promise<bigint | null> {
  try {
    const bytes = await memory.read(address, entryBytes, options);
    const view = new DataView(bytes.buffer, bytes.byteOffset, entryBytes);
    return entryBytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  } catch (error) {
    if (error instanceof MemoryReadError) return null;
    throw error;
  }
}
