import type { ReadOptions } from "../memory/physical_memory.ts";
import { KernelFormatError } from "./errors.ts";
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
 * Lists what a maple tree holds, in order (6.1 and later). The kernel may change the tree meanwhile; a
 * node that it has replaced is recognised, and what else can go wrong ends in an error.
 *
 * @throws {KernelFormatError} if a node was replaced, or is none
 */
export async function readMapleTree(
  reader: Reader,
  root: bigint,
  options: ReadOptions = {},
): Promise<MapleEntry[]> {
  const entries: MapleEntry[] = [];
  if (root === 0n) return entries;
  // Without bit 1 it is no node but the only entry, at index 0 (xa_is_node in maple_tree.c).
  if (!(root & 2n)) return [{ first: 0n, last: 0n, value: root }];
  let nodes = 0;

  async function visit(pointer: bigint, first: bigint, last: bigint, depth: number): Promise<void> {
    const address = pointer & ~0xffn;
    const type = Number(pointer >> 3n & 0xfn);
    const layout = LAYOUTS[type];
    if (!layout) throw new KernelFormatError(STRUCTURE, `no node type ${type}`, address);
    if (++nodes > MAX_NODES || depth > MAX_DEPTH) {
      throw new KernelFormatError(STRUCTURE, "it has no end", address);
    }
    const view = viewOf(await reader.read(address, NODE_BYTES, options));
    // A node that was replaced is its own parent (mte_dead_node).
    if ((view.getBigUint64(0, true) & ~0xffn) === address) {
      throw new KernelFormatError(STRUCTURE, "a node was replaced", address);
    }
    let start = first;
    for (let slot = 0; slot <= layout.pivots; slot++) {
      const pivot = slot < layout.pivots
        ? view.getBigUint64(layout.pivotsAt + slot * 8, true)
        : last;
      // Pivot 0 ends the node early, except in the first slot.
      const end = pivot === 0n && slot > 0 ? last : pivot;
      if (end < start || end > last) {
        throw new KernelFormatError(STRUCTURE, "the pivots of a node do not ascend", address);
      }
      const value = view.getBigUint64(layout.slotsAt + slot * 8, true);
      if (type === LEAF) {
        // Small values with bit 1 are marks of the tree's own.
        const isMark = (value & 3n) === 2n && value < 4096n;
        if (value !== 0n && !isMark) entries.push({ first: start, last: end, value });
      } else if (value !== 0n) {
        await visit(value, start, end, depth + 1);
      }
      if (end === last) return;
      start = end + 1n;
    }
  }

  await visit(root, 0n, MAX_INDEX, 0);
  return entries;
}
