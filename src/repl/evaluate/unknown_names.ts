import type * as ast from "acorn";
import { namesIn } from "./declared_names.ts";
import { childrenOf } from "./children.ts";

/** The names in a line that nobody knows. */
export interface UnknownNames {
  readonly names: ReadonlySet<string>;
  /** Those among them that are called as functions. */
  readonly called: ReadonlySet<string>;
  /** Those that only `typeof` asks about, which may have no value. */
  readonly asked: ReadonlySet<string>;
}

/** Finds the names that a line uses without declaring them, and that nobody else knows. */
export function unknownNames(
  program: ast.Program,
  isKnown: (name: string) => boolean,
): UnknownNames {
  const names = new Set<string>();
  const called = new Set<string>();
  const asked = new Set<string>();
  const declared = new Set<string>();
  visit(program);
  for (const name of declared) {
    names.delete(name);
    asked.delete(name);
  }
  return { names, called, asked };

  function visit(visited: ast.Node): void {
    const node = visited as ast.AnyNode;
    switch (node.type) {
      case "Identifier":
        if (!isKnown(node.name)) names.add(node.name);
        return;
      case "VariableDeclarator":
        note(node.id);
        break;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        if (node.id) declared.add(node.id.name);
        node.params.forEach(note);
        break;
      case "ClassDeclaration":
      case "ClassExpression":
        if (node.id) declared.add(node.id.name);
        break;
      case "CatchClause":
        if (node.param) note(node.param);
        break;
      case "ImportDeclaration":
        return;
      case "AssignmentExpression":
        if (node.left.type === "Identifier" && node.operator === "=") declared.add(node.left.name);
        break;
      case "CallExpression":
        if (node.callee.type === "Identifier") called.add(node.callee.name);
        break;
      case "UnaryExpression":
        if (node.operator !== "typeof" || node.argument.type !== "Identifier") break;
        if (!isKnown(node.argument.name)) asked.add(node.argument.name);
        return;
      case "LabeledStatement":
        return visit(node.body);
      case "BreakStatement":
      case "ContinueStatement":
        return;
      case "MemberExpression":
      case "Property":
      case "PropertyDefinition":
      case "MethodDefinition":
        return parts(node).forEach(visit);
    }
    childrenOf(node).forEach(visit);
  }

  function note(pattern: ast.Pattern): void {
    for (const name of namesIn(pattern)) declared.add(name);
  }
}

/** The parts of a node whose names are values: no property's own name. */
function parts(
  node:
    | ast.MemberExpression
    | ast.Property
    | ast.AssignmentProperty
    | ast.PropertyDefinition
    | ast.MethodDefinition,
): ast.Node[] {
  if (node.type === "MemberExpression") {
    return node.computed ? [node.object, node.property] : [node.object];
  }
  const value = node.value ? [node.value] : [];
  return node.computed ? [node.key, ...value] : value;
}
