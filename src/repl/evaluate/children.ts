import type * as ast from "acorn";

const children = new WeakMap<ast.Node, ast.Node[]>();

/** The parts of a node in the order in which they were typed. */
export function childrenOf(node: ast.Node): ast.Node[] {
  let found = children.get(node);
  if (!found) children.set(node, found = findChildren(node));
  return found;
}

function findChildren(node: ast.Node): ast.Node[] {
  const children: ast.Node[] = [];
  for (const value of Object.values(node)) {
    for (const part of Array.isArray(value) ? value : [value]) {
      if (typeof part?.type === "string" && typeof part.start === "number") children.push(part);
    }
  }
  children.sort((a, b) => a.start - b.start || b.end - a.end);
  // `{ a }` and `import { a }` name one thing twice, `{ a = 1 }` within the other.
  return children.filter((child, i) => i === 0 || child.start >= children[i - 1]!.end);
}
