import type * as ast from "acorn";
import { namesIn, standsInList } from "./declared_names.ts";
import { type HexNames, hexNamesIn } from "./hexadecimal.ts";
import type { ParsedInput } from "./parse.ts";
import type { DeclarationKind, DeclaredName } from "./scope.ts";
import { childrenOf } from "./children.ts";

/** Where a declaration stands: in a list, alone (`if (x) var y`), or in the head of a loop. */
export type Place = "list" | "lone" | "head";

/** What a line declares and gives back. */
export interface Analysis extends ParsedInput {
  /** The nodes that outlive the line: declarations at its top, and `var` below it. */
  readonly topLevel: ReadonlyMap<ast.Node, Place>;
  /** The last statement, if it has a value to print. */
  readonly result: ast.ExpressionStatement | undefined;
  /** The names that the line declares, in order. */
  readonly declared: readonly DeclaredName[];
  /** The names that plain assignments at the top declare where nothing else did. */
  readonly assigned: readonly string[];
  /** The variables whose integers came of numbers written in hexadecimal; `f()` for what f returns. */
  readonly hexNames: HexNames;
  /** All identifiers in the line, to tell which helpers it uses. */
  readonly identifiers: ReadonlySet<string>;
}

/**
 * Finds what must be known of a line before it is written again.
 *
 * @param hexNames the variables of earlier lines that are printed in hexadecimal
 */
export function analyse(
  parsed: ParsedInput,
  hexNames: ReadonlySet<string> = new Set(),
): Analysis {
  const topLevel = new Map<ast.Node, Place>();
  const declared: DeclaredName[] = [];
  const assigned: string[] = [];
  const identifiers = new Set<string>();
  const body = parsed.program.body as ast.Node[];
  const last = body.findLast((node) => node.type !== "EmptyStatement");
  visit(parsed.program, [], (visited, ancestors) => {
    const node = visited as ast.AnyNode;
    if (node.type === "Identifier") identifiers.add(node.name);
    const parent = ancestors.at(-2);
    if (outlives(node, ancestors)) {
      topLevel.set(node, placeUnder(parent, node));
      declared.push(...declaredBy(node));
    }
    const name = isTop(parent) && assignedName(node);
    if (name) assigned.push(name);
  });
  const result = last?.type === "ExpressionStatement" ? last as ast.ExpressionStatement : undefined;
  const given = [...declared.map(({ name }) => name), ...assigned];
  const found = hexNamesIn(parsed.program, hexNames, given);
  return { ...parsed, topLevel, result, declared, assigned, identifiers, hexNames: found };
}

/** Visits a node's parts and then the node, each with the nodes from the program down to it. */
function visit(
  node: ast.Node,
  above: readonly ast.Node[],
  seen: (node: ast.Node, ancestors: readonly ast.Node[]) => void,
): void {
  const ancestors = [...above, node];
  for (const child of childrenOf(node)) visit(child, ancestors, seen);
  seen(node, ancestors);
}

const EXPORTS_NOTHING = "export is not supported at the prompt: leave it out";

function outlives(node: ast.AnyNode, ancestors: readonly ast.Node[]): boolean {
  const parent = ancestors.at(-2);
  switch (node.type) {
    case "VariableDeclaration":
      return isTop(parent) || node.kind === "var" && runsAtOnce(ancestors);
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return isTop(parent) && Boolean(node.id);
    case "ExpressionStatement":
      return parent?.type === "Program";
    case "ImportDeclaration":
      return true;
    case "ExportNamedDeclaration":
      if (node.declaration) return true;
      throw new SyntaxError(EXPORTS_NOTHING);
    case "ExportDefaultDeclaration":
    case "ExportAllDeclaration":
      throw new SyntaxError(EXPORTS_NOTHING);
    default:
      return false;
  }
}

/** Nodes whose code runs later. */
const LATER = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "ClassBody",
]);

function runsAtOnce(ancestors: readonly ast.Node[]): boolean {
  return !ancestors.slice(0, -1).some((node) => LATER.has(node.type));
}

function placeUnder(parent: ast.Node | undefined, node: ast.Node): Place {
  if (parent?.type === "ExportNamedDeclaration" || standsInList(parent)) return "list";
  const isLoop = parent?.type.startsWith("For") ?? false;
  return isLoop && (parent as { body?: ast.Node }).body !== node ? "head" : "lone";
}

function isTop(parent: ast.Node | undefined): boolean {
  return parent?.type === "Program" || parent?.type === "ExportNamedDeclaration";
}

/** `x = …` as a statement declares x if nothing else did. */
function assignedName(node: ast.AnyNode): string | undefined {
  if (node.type !== "ExpressionStatement") return;
  const { expression } = node;
  const isPlain = expression.type === "AssignmentExpression" && expression.operator === "=" &&
    expression.left.type === "Identifier";
  return isPlain ? (expression.left as ast.Identifier).name : undefined;
}

function declaredBy(node: ast.AnyNode): DeclaredName[] {
  const names = (kind: DeclarationKind, list: string[]) => list.map((name) => ({ name, kind }));
  switch (node.type) {
    case "VariableDeclaration": {
      const { kind, declarations } = node;
      return names(
        kind === "let" || kind === "var" ? kind : "const",
        declarations.flatMap(({ id }) => namesIn(id)),
      );
    }
    case "FunctionDeclaration":
      return names("function", [node.id!.name]);
    case "ClassDeclaration":
      return names("class", [node.id!.name]);
    case "ImportDeclaration":
      return names("import", node.specifiers.map(({ local }) => local.name));
    default:
      return [];
  }
}
