import type * as ast from "acorn";
import { assemble, type Code, code, join } from "./code.ts";
import type { RunLine } from "./evaluator.ts";
import { namesIn } from "./declared_names.ts";
import { bigLiteral } from "./write/literals.ts";
import { childrenOf } from "./children.ts";
import { type Rule, type Rules, Writer } from "./write/writer.ts";

/** A script's body, and what it needs around it. */
export interface ScriptBody {
  /** The statements, a line of the session after the other. */
  readonly text: string;
  /** All identifiers it contains. */
  readonly identifiers: ReadonlySet<string>;
}

/**
 * Writes lines that ran as a module: what the prompt did for the user (awaiting, bigints) is spelled
 * out, by what was seen when they ran, and results are printed with `print`. Undefined if some line did
 * what only a prompt can: to wait within a function, or to be exact where JavaScript is not.
 */
export function toScript(lines: readonly RunLine[]): ScriptBody | undefined {
  if (lines.some(needsPrompt)) return undefined;
  const identifiers = new Set(lines.flatMap(({ analysis }) => [...analysis.identifiers]));
  const plan: Plan = {
    repeated: repeatedNames(lines),
    keepsResult: identifiers.has("_"),
    imported: new Set(),
  };
  const statements = lines.map((line) => toStatements(line, plan));
  const results = ["_", "_err"].filter((name) => identifiers.has(name));
  if (results.length > 0) statements.unshift(`let ${results.join(", ")};`);
  return { text: statements.join("\n"), identifiers };
}

/** What must be known of all lines to write one. */
interface Plan {
  /** The names that are declared more than once, which only `var` allows. */
  readonly repeated: ReadonlySet<string>;
  /** Whether some line uses `_`. */
  readonly keepsResult: boolean;
  /** The names that lines written so far import. */
  readonly imported: Set<string>;
}

function repeatedNames(lines: readonly RunLine[]): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { analysis, implicit } of lines) {
    for (const name of [...analysis.declared.map(({ name }) => name), ...implicit]) {
      if (seen.has(name)) repeated.add(name);
      seen.add(name);
    }
  }
  return repeated;
}

function needsPrompt({ analysis, observations }: RunLine): boolean {
  const functions = functionsIn(analysis.program);
  return [...observations].some(([site, seen]) => {
    const start = Math.floor(Math.abs(site) / 2 ** 20);
    const isInside = functions.some((each) => each.start < start && start < each.end);
    return seen === "loop" || seen === "exact" || isInside && site >= 0;
  });
}

function functionsIn(node: ast.Node): ast.Node[] {
  const own = /Function|ClassBody/.test(node.type) ? [node] : [];
  return [...own, ...childrenOf(node).flatMap(functionsIn)];
}

function toStatements(line: RunLine, plan: Plan): string {
  const rules = rulesFor(line, plan);
  const to = new Writer(line.analysis, { outer: rules, inner: rules });
  return assemble(to.emit(line.analysis.program), line.analysis.source).text.trim();
}

/** What is awaited as a whole needs no parentheses. */
const AWAITED = [
  "CallExpression",
  "ChainExpression",
  "Identifier",
  "ImportExpression",
  "MemberExpression",
  "NewExpression",
  "TaggedTemplateExpression",
];

function rulesFor(line: RunLine, plan: Plan): Rules {
  const { analysis, observations, implicit } = line;

  const isAwaited = (node: ast.Node, to: Writer) =>
    AWAITED.includes(node.type) && observations.get(to.site(node)) === "promise";
  const whole = (node: ast.Node, to: Writer): Code =>
    isAwaited(node, to) ? code`await ${to.copy(node)}` : to.emit(node);
  const part: Rule = (node, to) =>
    isAwaited(node, to) ? code`(await ${to.copy(node)})` : to.copy(node);
  const inFunction: Rule = (node, to) => to.in("immediate").copy(node);

  function converted(
    node: ast.BinaryExpression | ast.AssignmentExpression,
    to: Writer,
  ): Code {
    const seen = observations.get(to.site(node));
    return to.around(node, [node.left, node.right], (side) => {
      const isConverted = seen === "left" && side === node.left ||
        seen === "right" && side === node.right;
      if (!isConverted) return side === node.left ? to.emit(side) : whole(side, to);
      return side.type === "Literal" ? code`${[side]}n` : code`BigInt(${to.emit(side)})`;
    });
  }

  return {
    ...Object.fromEntries(AWAITED.map((type) => [type, part])),
    FunctionExpression: inFunction,
    ArrowFunctionExpression: inFunction,
    Literal: (node: ast.Literal) => {
      const big = bigLiteral(node);
      return big === undefined ? [node] : code`${big}n`;
    },
    BinaryExpression: (node: ast.BinaryExpression, to) =>
      observations.has(to.site(node)) ? converted(node, to) : to.copy(node),
    AssignmentExpression: converted,
    VariableDeclarator: (node: ast.VariableDeclarator, to) =>
      to.around(
        node,
        [node.id, ...node.init ? [node.init] : []],
        (each) => each === node.init ? whole(each, to) : to.emit(each),
      ),
    ForOfStatement: (node: ast.ForOfStatement, to) =>
      node.await || to.mode === "immediate"
        ? to.copy(node)
        : code`for await ${
          [{ start: node.start + 3, end: node.left.start }].map(({ start, end }) => ({
            start: start + (to.text({ start, end }).startsWith(" ") ? 1 : 0),
            end,
          }))
        }${
          to.around(
            { start: node.left.start, end: node.end },
            [node.left, node.right, node.body],
            (each) => to.emit(each),
          )
        }`,
    VariableDeclaration: (node: ast.VariableDeclaration, to) => {
      const names = node.declarations.flatMap(({ id }) => namesIn(id));
      const isRepeated = analysis.topLevel.has(node) &&
        names.some((name) => plan.repeated.has(name));
      if (!isRepeated) return terminated(node, to.copy(node), to);
      const list = join(node.declarations.map((each) => to.emit(each)), ", ");
      return terminated(node, code`var ${list}`, to);
    },
    FunctionDeclaration: (node: ast.FunctionDeclaration, to) => {
      const isRepeated = analysis.topLevel.has(node) && plan.repeated.has(node.id.name);
      return code`${isRepeated ? `var ${node.id.name} = ` : ""}${inFunction(node, to)}`;
    },
    ClassDeclaration: (node: ast.ClassDeclaration, to) => {
      const isRepeated = analysis.topLevel.has(node) && plan.repeated.has(node.id.name);
      return code`${isRepeated ? `var ${node.id.name} = ` : ""}${to.in("immediate").copy(node)}`;
    },
    ImportDeclaration: (node: ast.ImportDeclaration) => {
      const names = node.specifiers.map(({ local }) => local.name);
      const isKnown = names.length > 0 && names.every((name) => plan.imported.has(name));
      for (const name of names) plan.imported.add(name);
      return isKnown ? [] : [node];
    },
    ExportNamedDeclaration: (node: ast.ExportNamedDeclaration, to) => to.emit(node.declaration!),
    ExpressionStatement: (node: ast.ExpressionStatement, to) => {
      const { expression } = node;
      const name =
        expression.type === "AssignmentExpression" && expression.left.type === "Identifier"
          ? expression.left.name
          : undefined;
      const declares = analysis.topLevel.has(node) && name !== undefined && implicit.includes(name);
      const value = whole(expression, to);
      if (declares) return terminated(node, code`var ${value}`, to);
      if (analysis.result !== node || line.result === "none") {
        return terminated(node, value, to, expression);
      }
      const kept = plan.keepsResult ? "_ = " : "";
      const printed = line.result === "one"
        ? code`print(${kept}${value})`
        : code`for await (const item of ${value}) print(${kept}item)`;
      return terminated(node, printed, to, expression);
    },
  };

  /** A statement with its semicolon, which the next line may need. */
  function terminated(node: ast.Node, written: Code, to: Writer, upTo?: ast.Node): Code {
    const isHead = analysis.topLevel.get(node) === "head" || !isStatement(node, to);
    if (isHead) return written;
    const rest = upTo ? to.text({ start: upTo.end, end: node.end }).trim() : "";
    const ends = to.text(node).endsWith(";") && !upTo;
    return code`${written}${rest.startsWith(";") ? ";" : ends ? "" : ";"}`;
  }

  function isStatement(node: ast.Node, to: Writer): boolean {
    return node.type !== "VariableDeclaration" ||
      !/^\s*(?:of|in)\b/.test(to.analysis.source.slice(node.end)) &&
        analysis.topLevel.get(node) !== "head" && to.mode === "waiting";
  }
}
