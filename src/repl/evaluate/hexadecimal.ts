import type * as ast from "acorn";
import type { Analysis } from "./analyse.ts";
import { screenInteger } from "./screen_numbers.ts";

/** The variables whose integers are addresses, as far as the text tells; `f()` for what f returns. */
export type HexNames = Set<string>;

/** What keeps the look of its operands. */
const OPERATORS = new Set(["+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", ">>>"]);

/**
 * Says whether a line's result came of numbers written in hexadecimal, so that it is to be printed so,
 * and remembers the variables that got such.
 */
export function isHexadecimal({ program, result }: Analysis, names: HexNames): boolean {
  for (const statement of program.body) note(statement, names);
  return result !== undefined && isHex(result.expression, names);
}

function note(statement: ast.Statement | ast.ModuleDeclaration, names: HexNames): void {
  switch (statement.type) {
    case "VariableDeclaration":
      for (const { id, init } of statement.declarations) {
        if (id.type === "Identifier") noteName(id.name, init, names);
      }
      return;
    case "FunctionDeclaration":
      return noteName(statement.id.name, statement, names);
    case "ExpressionStatement": {
      const { expression } = statement;
      if (expression.type !== "AssignmentExpression" || expression.left.type !== "Identifier") {
        return;
      }
      const { name } = expression.left;
      if (expression.operator === "=") noteName(name, expression.right, names);
      else if (isHex(expression.right, names)) names.add(name);
    }
  }
}

function noteName(name: string, value: ast.Node | null | undefined, names: HexNames): void {
  names.delete(name);
  names.delete(`${name}()`);
  if (!value) return;
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

function isHex(visited: ast.Node, names: HexNames): boolean {
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
