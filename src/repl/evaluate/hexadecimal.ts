import type * as ast from "acorn";
import { screenInteger } from "./screen_numbers.ts";
import { childrenOf } from "./children.ts";

/** The variables whose integers are addresses, as far as the text tells; `f()` for what f returns. */
export type HexNames = Set<string>;

/** What keeps the look of its operands. */
const OPERATORS = new Set(["+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", ">>>"]);

/** Methods that hand the elements of a list to a callback. */
const HAND_OVER = new Set([
  "map",
  "filter",
  "forEach",
  "flatMap",
  "find",
  "some",
  "every",
  "reduce",
]);

/**
 * Finds the variables of a line whose integers came of numbers written in hexadecimal, as far as its
 * text tells, so that they are printed so.
 *
 * @param known those of earlier lines
 */
export function hexNamesIn(
  program: ast.Program,
  known: ReadonlySet<string>,
  declared: Iterable<string>,
): HexNames {
  const names = new Set(known);
  for (const name of declared) forget(name, names);
  // A name may be used above the place where it is declared, within a function.
  for (let pass = 0; pass < 2; pass++) note(program, names);
  return names;
}

/** Forgets what was known of a variable. */
export function forget(name: string, names: HexNames): void {
  names.delete(name);
  names.delete(`${name}()`);
}

function note(visited: ast.Node, names: HexNames): void {
  const node = visited as ast.AnyNode;
  switch (node.type) {
    case "VariableDeclarator":
      if (node.id.type === "Identifier" && node.init) noteValue(node.id.name, node.init, names);
      break;
    case "FunctionDeclaration":
      if (node.id) noteValue(node.id.name, node, names);
      break;
    case "AssignmentExpression":
      if (node.left.type === "Identifier") noteValue(node.left.name, node.right, names);
      break;
    case "ForOfStatement":
      if (isHex(node.right, names)) noteFirst(node.left, names);
      break;
    case "CallExpression": {
      const { callee, arguments: [callback] } = node;
      const hands = callee.type === "MemberExpression" && callee.property.type === "Identifier" &&
        HAND_OVER.has(callee.property.name) && isHex(callee.object, names);
      if (!hands || !callback?.type.includes("Function")) break;
      for (const param of (callback as ast.Function).params) noteFirst(param, names);
    }
  }
  for (const child of childrenOf(node)) note(child, names);
}

function noteFirst(target: ast.Node, names: HexNames): void {
  if (target.type === "Identifier") names.add((target as ast.Identifier).name);
  if (target.type === "VariableDeclaration") {
    noteFirst((target as ast.VariableDeclaration).declarations[0]!.id, names);
  }
}

function noteValue(name: string, value: ast.Node, names: HexNames): void {
  const returned = returnedBy(value);
  if (returned) {
    if (returned.some((each) => isHex(each, names))) names.add(`${name}()`);
  } else if (isHex(value, names)) names.add(name);
}

/** What a function returns, as far as it stands at its top. */
function returnedBy(node: ast.Node): ast.Node[] | undefined {
  const { type, body } = node as ast.Function;
  if (!type.includes("Function")) return;
  if (body.type !== "BlockStatement") return [body];
  return body.body.flatMap((each) =>
    each.type === "ReturnStatement" && each.argument ? [each.argument] : []
  );
}

/** Says whether an expression's integers came of numbers written in hexadecimal. */
export function isHex(visited: ast.Node, names: ReadonlySet<string>): boolean {
  const node = visited as ast.AnyNode;
  const some = (...parts: (ast.Node | null)[]) => parts.some((part) => part && isHex(part, names));
  switch (node.type) {
    case "Literal": {
      const { value, raw = "" } = node;
      // As typed, or as it stood on the screen: ffffffff81000000, 0000000000400000.
      return typeof value !== "string" && (/^0[xX]/.test(raw) ||
        screenInteger(raw) !== undefined);
    }
    case "Identifier":
      return names.has(node.name);
    case "ParenthesizedExpression":
      return some(node.expression);
    case "UnaryExpression":
      return ["-", "+", "~"].includes(node.operator) && some(node.argument);
    case "UpdateExpression":
      return some(node.argument);
    case "BinaryExpression":
      return OPERATORS.has(node.operator) && some(node.left, node.right);
    case "AssignmentExpression":
      return some(node.left, node.right);
    case "ConditionalExpression":
      return some(node.consequent, node.alternate);
    case "LogicalExpression":
      return some(node.left, node.right);
    case "SequenceExpression":
      return some(node.expressions.at(-1)!);
    case "ArrayExpression":
      return some(...node.elements);
    case "SpreadElement":
      return some(node.argument);
    case "MemberExpression":
      return node.property.type !== "Identifier" || node.computed ? some(node.object) : false;
    case "CallExpression": {
      const { callee, arguments: given } = node;
      if (callee.type === "Identifier") return names.has(`${callee.name}()`);
      // Math.max(0x1000, x); [0x1000, 0x2000].map((va) => va + 1) and its like.
      if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
      const { object, property } = callee;
      if (object.type === "Identifier" && object.name === "Math") return some(...given);
      return KEEPS.has(property.name) && some(object);
    }
    default:
      return false;
  }
}

/** Methods of lists that give back what was in them, or made of it. */
const KEEPS = new Set(["at", "concat", "filter", "find", "flat", "map", "pop", "reduce", "shift"]
  .concat("slice", "sort", "toReversed", "toSorted", "reverse"));
