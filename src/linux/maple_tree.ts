import type { ReadOptions } from "../memory/physical_memory.ts";
import { KernelFormatError } from "./errors.ts";
import { readTogether } from "./read_together.ts";
import { type Reader, viewOf } from "./reader.ts";

/** A range of a maple tree that holds something. */
export interface MapleEntry {
  /** The first index. */
  readonly first: bigint;
  /** The last index. */
  readonly last: bigint;
  /** What is stored: a pointer. */
  readonly value: bigint;
}

/** Where the parts of a node are, in bytes (include/linux/maple_tree.h, 64 bits). */
interface NodeLayout {
  readonly pivots: number;
  readonly pivotsAt: number;
  readonly slotsAt: number;
}

// struct maple_range_64 and maple_arange_64; they have not changed since 6.1.
const RANGE: NodeLayout = { pivots: 15, pivotsAt: 8, slotsAt: 128 };
const ARANGE: NodeLayout = { pivots: 9, pivotsAt: 8, slotsAt: 80 };
/** maple_leaf_64, maple_range_64, maple_arange_64. */
const LAYOUTS: Readonly<Record<number, NodeLayout>> = { 1: RANGE, 2: RANGE, 3: ARANGE };
const LEAF = 1;
const NODE_BYTES = 256;
const MAX_INDEX = (1n << 64n) - 1n;
/** A process has at most 65,530 areas by default, 10 or more in each leaf. */
const MAX_NODES = 65_536;
const MAX_DEPTH = 16;
const STRUCTURE = "maple tree";

/**
 * Lists what a maple tree holds, in order (6.1 and later), all nodes of one depth read together. The kernel may change the tree meanwhile; a
 * node that it has replaced is recognised, and what else can go wrong ends in an error.
 *
 * @throws {KernelFormatError} if a node was replaced, or is none
 */
export async function readMapleTree(
  reader: Reader,
  root: bigint,
  options: ReadOptions = {},
): Promise<MapleEntry[]> {
  if (root === 0n) return [];
  // Without bit 1 it is not a node but the only entry, at index 0 (xa_is_node in maple_tree.c).
  if (!(root & 2n)) return [{ first: 0n, last: 0n, value: root }];
  const entries: MapleEntry[] = [];
  let level: Slot[] = [{ value: root, first: 0n, last: MAX_INDEX }];
  let nodes = 0;
  for (let depth = 0; level.length > 0; depth++) {
    nodes += level.length;
    if (nodes > MAX_NODES || depth > MAX_DEPTH) {
      throw new KernelFormatError(STRUCTURE, "it does not end", addressOf(level[0]!));
    }
    const pieces = level.map((slot) => ({ address: addressOf(slot), lengthBytes: NODE_BYTES }));
    const bytes = await readTogether(reader, pieces, options);
    const below: Slot[] = [];
    for (const [i, node] of level.entries()) {
      const read = bytes[i]!;
      if (!(read instanceof Uint8Array)) throw read.error;
      const slots = slotsOf(node, viewOf(read));
      if (typeOf(node) !== LEAF) below.push(...slots);
      // Small values with bit 1 are marks of the tree's own.
      else entries.push(...slots.filter(({ value }) => (value & 3n) !== 2n || value >= 4096n));
    }
    level = below;
  }
  return entries.sort((a, b) => a.first < b.first ? -1 : 1);
}

/** A pointer in a node, or to the root: to a node below, or what is stored. */
type Slot = MapleEntry;

/** The slots of a node that are not empty. @throws {KernelFormatError} if it is not a node of a tree */
function slotsOf(node: Slot, view: DataView): Slot[] {
  const address = addressOf(node);
  const layout = LAYOUTS[typeOf(node)];
  if (!layout) throw new KernelFormatError(STRUCTURE, `no node type ${typeOf(node)}`, address);
  // A node that was replaced is its own parent (mte_dead_node).
  if ((view.getBigUint64(0, true) & ~0xffn) === address) {
    throw new KernelFormatError(STRUCTURE, "a node was replaced", address);
  }
  const slots: Slot[] = [];
  const { last } = node;
  let start = node.first;
  for (let slot = 0; slot <= layout.pivots; slot++) {
    const pivot = slot < layout.pivots ? view.getBigUint64(layout.pivotsAt + slot * 8, true) : last;
    // Pivot 0 ends the node early, except in the first slot.
    const end = pivot === 0n && slot > 0 ? last : pivot;
    if (end < start || end > last) {
      throw new KernelFormatError(STRUCTURE, "the pivots of a node do not ascend", address);
    }
    const value = view.getBigUint64(layout.slotsAt + slot * 8, true);
    if (value !== 0n) slots.push({ first: start, last: end, value });
    if (end === last) break;
    start = end + 1n;
  }
  return slots;
}

function addressOf({ value }: Slot): bigint {
  return value & ~0xffn;
}

function typeOf({ value }: Slot): number {
  return Number(value >> 3n & 0xfn);
}
