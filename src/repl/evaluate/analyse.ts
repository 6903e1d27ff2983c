import type * as ast from "acorn";
import { fullAncestor } from "acorn-walk";
import { isAwaited, runsAtOnce } from "./awaited_places.ts";
import { namesIn, standsInList } from "./declared_names.ts";
import { ARITHMETIC } from "./mixed_arithmetic.ts";
import type { ParsedInput } from "./parse.ts";
import type { DeclarationKind, DeclaredName } from "./scope.ts";

/**
 * One thing in a line that a prompt treats otherwise than a module does. `site` names the place, for
 * what is learned there while the line runs.
 */
export type Finding =
  /** An integer literal past 2^53-1. */
  | { readonly kind: "bigLiteral"; readonly node: ast.Node }
  /** Arithmetic that may mix a bigint and a number. */
  | {
    readonly kind: "arithmetic";
    readonly site: number;
    readonly operator: ast.Token;
    readonly node: ast.BinaryExpression;
  }
  /** The same with assignment to a variable: `va += 0x1000`. */
  | {
    readonly kind: "arithmeticAssignment";
    readonly site: number;
    readonly operator: ast.Token;
    readonly node: ast.AssignmentExpression;
  }
  /** An expression that is awaited: where the user says so, as a whole, or as a part of another. */
  | {
    readonly kind: "awaited";
    readonly site: number;
    readonly node: ast.Node;
    readonly place: "explicit" | "whole" | "part";
  }
  /** `for (… of …)`, which takes asynchronous iterables too. */
  | { readonly kind: "forOf"; readonly node: ast.ForOfStatement }
  /** `import("…")`, which is looked up from where the user is. */
  | { readonly kind: "dynamicImport"; readonly node: ast.ImportExpression }
  /** Variables that outlive the line. */
  | {
    readonly kind: "variables";
    readonly node: ast.VariableDeclaration;
    /** A statement in a list, a lone statement (`if (x) var y`), or the head of a loop. */
    readonly place: "list" | "lone" | "head";
  }
  | { readonly kind: "function"; readonly node: Named<ast.FunctionDeclaration> }
  | { readonly kind: "class"; readonly node: Named<ast.ClassDeclaration> }
  | { readonly kind: "import"; readonly node: ast.ImportDeclaration }
  /** `export`, which is dropped before a declaration. */
  | { readonly kind: "export"; readonly node: ast.ExportNamedDeclaration }
  /** `name = …` as a statement, which declares the name if nothing else did. */
  | { readonly kind: "implicit"; readonly node: ast.ExpressionStatement; readonly name: string }
  /** The last statement, if it has a value to print. */
  | { readonly kind: "result"; readonly node: ast.ExpressionStatement };

type Named<Declaration> = Declaration & { id: ast.Identifier };

/** What was found in a line, inner things before outer ones. */
export interface Analysis extends ParsedInput {
  readonly findings: readonly Finding[];
  /** The names that the line declares, in order. */
  readonly declared: readonly DeclaredName[];
  /** All identifiers in the line, to tell which helpers it uses. */
  readonly identifiers: ReadonlySet<string>;
  /** The names that plain assignments declare where nothing else did. */
  readonly assigned: readonly string[];
}

/** Finds all that must be rewritten before a line can be run. */
export function analyse(parsed: ParsedInput): Analysis {
  const findings: Finding[] = [];
  const declared: DeclaredName[] = [];
  const identifiers = new Set<string>();
  const last = (parsed.program.body as ast.Node[]).findLast((node) =>
    node.type !== "EmptyStatement"
  );
  fullAncestor(parsed.program, (visited, _state, ancestors) => {
    const node = visited as ast.AnyNode;
    if (isAwaited(ancestors)) {
      findings.push({ kind: "awaited", site: findings.length, node, place: placeOf(ancestors) });
    }
    if (node.type === "Identifier") identifiers.add(node.name);
    const finding = inspect(node, ancestors, { ...parsed, last, site: findings.length });
    if (!finding) return;
    findings.push(finding);
    declared.push(...declaredBy(finding));
    if (finding.kind === "implicit" && node === last) {
      findings.push({ kind: "result", node: finding.node });
    }
  });
  const assigned = findings.flatMap((finding) => finding.kind === "implicit" ? finding.name : []);
  return { ...parsed, findings, declared, identifiers, assigned };
}

function inspect(
  node: ast.AnyNode,
  ancestors: readonly ast.Node[],
  { tokens, last, site }: ParsedInput & { last: ast.Node | undefined; site: number },
): Finding | undefined {
  const parent = ancestors.at(-2);
  switch (node.type) {
    case "Literal":
      return isBigInteger(node) ? { kind: "bigLiteral", node } : undefined;
    case "BinaryExpression":
      if (!(node.operator in ARITHMETIC) || !mayMix(node.left, node.right)) return;
      return {
        kind: "arithmetic",
        site,
        operator: tokenAfter(tokens, node.left.end),
        node,
      };
    case "AssignmentExpression": {
      const operator = node.operator.slice(0, -1);
      if (node.left.type !== "Identifier" || !(operator in ARITHMETIC)) return;
      return {
        kind: "arithmeticAssignment",
        site,
        operator: tokenAfter(tokens, node.left.end),
        node,
      };
    }
    case "ForOfStatement":
      return !node.await && runsAtOnce(ancestors) ? { kind: "forOf", node } : undefined;
    case "ImportExpression":
      return { kind: "dynamicImport", node };
    case "VariableDeclaration": {
      const outlives = isTop(parent) || node.kind === "var" && runsAtOnce(ancestors);
      return outlives ? { kind: "variables", node, place: placeUnder(parent, node) } : undefined;
    }
    case "FunctionDeclaration":
      return node.id && isTop(parent) ? { kind: "function", node } : undefined;
    case "ClassDeclaration":
      return node.id && isTop(parent) ? { kind: "class", node } : undefined;
    case "ImportDeclaration":
      return { kind: "import", node };
    case "ExportNamedDeclaration":
      if (node.declaration) return { kind: "export", node };
      throw new SyntaxError("A prompt has nothing to export to: leave the export away");
    case "ExportDefaultDeclaration":
    case "ExportAllDeclaration":
      throw new SyntaxError("A prompt has nothing to export to: leave the export away");
    case "ExpressionStatement": {
      if (parent?.type !== "Program") return;
      const { expression } = node;
      if (
        expression.type === "AssignmentExpression" && expression.operator === "=" &&
        expression.left.type === "Identifier"
      ) return { kind: "implicit", node, name: expression.left.name };
      return node === last ? { kind: "result", node } : undefined;
    }
    default:
      return;
  }
}

const WHOLE = ["ExpressionStatement", "VariableDeclarator", "AssignmentExpression"];

function placeOf(ancestors: readonly ast.Node[]): "explicit" | "whole" | "part" {
  const parent = ancestors.at(-2)?.type ?? "";
  return parent === "AwaitExpression" ? "explicit" : WHOLE.includes(parent) ? "whole" : "part";
}

function placeUnder(parent: ast.Node | undefined, node: ast.Node): "list" | "lone" | "head" {
  if (parent?.type === "ExportNamedDeclaration" || standsInList(parent)) return "list";
  const isLoop = parent?.type.startsWith("For") ?? false;
  return isLoop && (parent as { body?: ast.Node }).body !== node ? "head" : "lone";
}

function isTop(parent: ast.Node | undefined): boolean {
  return parent?.type === "Program" || parent?.type === "ExportNamedDeclaration";
}

function declaredBy(finding: Finding): DeclaredName[] {
  const names = (kind: DeclarationKind, list: string[]) => list.map((name) => ({ name, kind }));
  switch (finding.kind) {
    case "variables": {
      const { kind, declarations } = finding.node;
      return names(
        kind === "let" || kind === "var" ? kind : "const",
        declarations.flatMap(({ id }) => namesIn(id)),
      );
    }
    case "function":
    case "class":
      return names(finding.kind, [finding.node.id.name]);
    case "import":
      return names("import", finding.node.specifiers.map(({ local }) => local.name));
    default:
      return [];
  }
}

/** A whole number that JavaScript rounds or may have rounded: written without a dot or exponent. */
function isBigInteger({ value, raw }: ast.Literal): boolean {
  return typeof value === "number" && value > Number.MAX_SAFE_INTEGER &&
    /^(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[1-9][0-9_]*)$/.test(raw ?? "");
}

/** False where neither operand can be a bigint or text settles the matter: nothing to rewrite then. */
function mayMix(left: ast.Node, right: ast.Node): boolean {
  return !isPlain(left) && !isPlain(right) || isPlain(left) !== isPlain(right) &&
      !isText(left) && !isText(right);
}

function isPlain(node: ast.Node): boolean {
  return isText(node) ||
    node.type === "Literal" && !isBigInteger(node as ast.Literal) && !(node as ast.Literal).bigint;
}

function isText(node: ast.Node): boolean {
  return node.type === "TemplateLiteral" ||
    node.type === "Literal" && typeof (node as ast.Literal).value === "string";
}

function tokenAfter(tokens: readonly ast.Token[], position: number): ast.Token {
  return tokens.find((token) => token.start >= position)!;
}
