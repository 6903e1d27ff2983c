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
 * Reads a red-black tree in order. Each node has to lead back to the one above it, so that neither a
 * loop nor a node that was freed or moved meanwhile goes unnoticed.
 *
 * @throws {KernelFormatError} if the nodes do not form a tree
 */
export async function* readRbTree<T>(
  root: bigint,
  readNode: (address: bigint) => Promise<RbNode<T>>,
): AsyncGenerator<T, void> {
  const above: { address: bigint; depth: number; node: RbNode<T> }[] = [];
  let nodes = 0;
  let [next, parent, depth] = [root, 0n, 0];
  for (;;) {
    while (next !== 0n) {
      const node = await readNode(next);
      if (node.parent !== parent) {
        throw new KernelFormatError(STRUCTURE, "a node does not lead back", next);
      }
      if (++depth > DEEPEST || ++nodes > MAX_NODES) {
        throw new KernelFormatError(STRUCTURE, "it has no end", next);
      }
      above.push({ address: next, depth, node });
      [next, parent] = [node.left, next];
    }
    const last = above.pop();
    if (!last) return;
    yield last.node.value;
    [next, parent, depth] = [last.node.right, last.address, last.depth];
  }
}
