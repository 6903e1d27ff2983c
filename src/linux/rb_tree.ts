import { KernelFormatError } from "./errors.ts";

/** A node of a red-black tree (`struct rb_node`), and what it is part of. */
export interface RbNode<T> {
  /** The node above, without its colour; 0 for the root. */
  readonly parent: bigint;
  /** The node below to the left; 0 for none. */
  readonly left: bigint;
  /** The node below to the right; 0 for none. */
  readonly right: bigint;
  /** What was read with it. */
  readonly value: T;
}

const STRUCTURE = "red-black tree";
/** A tree of n nodes is at most 2·log2(n + 1) deep. */
const DEEPEST = 40;
const MAX_NODES = 1 << 18;

/**
 * Reads a red-black tree, all nodes of one depth together, and answers what it holds in order. Each node
 * has to lead back to the one above it, so that neither a loop nor a node that was freed or moved
 * meanwhile goes unnoticed.
 *
 * @throws {KernelFormatError} if the nodes do not form a tree
 */
export async function readRbTree<T>(
  root: bigint,
  readNodes: (addresses: readonly bigint[]) => Promise<readonly RbNode<T>[]>,
): Promise<T[]> {
  const known = new Map<bigint, RbNode<T>>();
  let level = root === 0n ? [] : [{ address: root, parent: 0n }];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > DEEPEST || known.size + level.length > MAX_NODES) {
      throw new KernelFormatError(STRUCTURE, "it does not end", level[0]!.address);
    }
    const nodes = await readNodes(level.map(({ address }) => address));
    const below: typeof level = [];
    for (const [i, { address, parent }] of level.entries()) {
      const node = nodes[i]!;
      if (node.parent !== parent || known.has(address)) {
        throw new KernelFormatError(STRUCTURE, "a node's parent pointer does not match", address);
      }
      known.set(address, node);
      for (const child of [node.left, node.right]) {
        if (child !== 0n) below.push({ address: child, parent: address });
      }
    }
    level = below;
  }
  return inOrder(root, known);
}

function inOrder<T>(root: bigint, known: ReadonlyMap<bigint, RbNode<T>>): T[] {
  const values: T[] = [];
  const above: RbNode<T>[] = [];
  for (let at = root; at !== 0n || above.length > 0;) {
    if (at !== 0n) {
      const node = known.get(at)!;
      above.push(node);
      at = node.left;
      continue;
    }
    const node = above.pop()!;
    values.push(node.value);
    at = node.right;
  }
  return values;
}
