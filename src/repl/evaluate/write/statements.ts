import type * as ast from "acorn";
import { type Code, code, join, type Span } from "../code.ts";
import { classExpression, twinOf } from "./functions.ts";
import { update } from "./operators.ts";
import type { Rules, Writer } from "./writer.ts";

/** Statements: what they test is waited for, and loops can be ended from outside. */
export const STATEMENTS: Rules = {
  ExpressionStatement: (node: ast.ExpressionStatement, to) => {
    const { expression } = node;
    return ended(
      expression.type === "UpdateExpression" ? update(expression, to, false) : to.emit(expression),
    );
  },
  VariableDeclaration: copied,
  VariableDeclarator: (node: ast.VariableDeclarator, to) =>
    node.init ? code`${to.emit(node.id)} = ${valueFor(node.id, node.init, to)}` : to.copy(node),
  ReturnStatement: (node: ast.ReturnStatement, to) =>
    node.argument ? code`return (${to.emit(node.argument)});` : code`return;`,
  ThrowStatement: (node: ast.ThrowStatement, to) => code`throw (${to.use(node.argument)});`,
  BreakStatement: copied,
  ContinueStatement: copied,
  DebuggerStatement: copied,
  EmptyStatement: () => code`;`,
  IfStatement: (node: ast.IfStatement, to) => {
    const otherwise = node.alternate ? code` else ${to.emit(node.alternate)}` : [];
    return code`if (${to.use(node.test)}) ${to.emit(node.consequent)}${otherwise}`;
  },
  SwitchStatement: (node: ast.SwitchStatement, to) =>
    code`switch (__w.asKey(${to.use(node.discriminant)})) { ${
      join(node.cases.map((each) => to.emit(each)))
    }}`,
  SwitchCase: (node: ast.SwitchCase, to) => {
    const head = node.test ? code`case __w.asKey(${to.use(node.test)}):` : code`default:`;
    const { consequent } = node;
    const span = { start: consequent[0]?.start ?? node.end, end: node.end };
    return code`${head} ${statements(consequent, span, to)}`;
  },
  TryStatement: (node: ast.TryStatement, to) => to.copy(node),
  CatchClause: (node: ast.CatchClause, to) => {
    const param = node.param ? code`(${to.in("immediate").emit(node.param)}) ` : [];
    // Ctrl-C ends code that catches everything, too.
    return code`catch ${param}{ ${to.tools}.check(); ${
      statements(node.body.body, inside(node.body), to)
    }}`;
  },
  WhileStatement: (node: ast.WhileStatement, to) =>
    code`while (${to.use(node.test)}) ${body(node.body, to)}`,
  DoWhileStatement: (node: ast.DoWhileStatement, to) =>
    code`do ${body(node.body, to)} while (${to.use(node.test)});`,
  ForStatement: (node: ast.ForStatement, to) => {
    const { init, test, update: last } = node;
    const first = init ? head(init, to) : [];
    const next = !last
      ? []
      : last.type === "UpdateExpression"
      ? update(last, to, false)
      : to.emit(last);
    return code`for (${first}; ${test ? to.use(test) : ""}; ${next}) ${body(node.body, to)}`;
  },
  ForInStatement: (node: ast.ForInStatement, to) =>
    code`for (${head(node.left, to)} in ${to.use(node.right)}) ${body(node.body, to)}`,
  ForOfStatement: (node: ast.ForOfStatement, to) => {
    const waits = to.mode === "waiting" ? " await" : "";
    return code`for${waits} (${head(node.left, to)} of ${to.use(node.right)}) ${
      body(node.body, to)
    }`;
  },
  BlockStatement: (node: ast.BlockStatement, to) =>
    code`{ ${statements(node.body, inside(node), to)}}`,
  ClassDeclaration: (node: ast.ClassDeclaration, to) => {
    const written = classExpression(node, to);
    return code`let ${node.id!.name} = ${written};`;
  },
  LabeledStatement: (node: ast.Node, to) => to.copy(node),
};

/** Writes statements one after the other, the twins of the functions among them first. */
export function statements(nodes: readonly ast.Node[], { start, end }: Span, to: Writer): Code {
  const twins = nodes.map((node) =>
    node.type === "FunctionDeclaration" ? twinOf(node as ast.FunctionDeclaration, to) : []
  );
  const written = nodes.flatMap((node, i) => [
    // Line ends and comments, which keep lines where they were.
    between(nodes[i - 1]?.end ?? start, node.start),
    to.emit(node),
  ]);
  return join([...twins, ...written, between(nodes.at(-1)?.end ?? start, end)]);
}

function between(start: number, end: number): Code {
  return start < end ? [{ start, end }] : [];
}

/** What stands between the braces of a block. */
function inside({ start, end }: Span): Span {
  return { start: start + 1, end: end - 1 };
}

/** Ends a statement: without a semicolon of its own it might go on in what is written after it. */
export function ended(written: Code): Code {
  return code`${written};`;
}

function copied(node: ast.Node, to: Writer): Code {
  return to.text(node).endsWith(";") ? to.copy(node) : ended(to.copy(node));
}

/** The value for a pattern; one that is taken apart must be there. */
export function valueFor(target: ast.Pattern, value: ast.Expression, to: Writer): Code {
  return target.type === "Identifier" ? to.emit(value, target.name) : to.use(value);
}

function head(node: ast.Node, to: Writer): Code {
  return node.type === "VariableDeclaration"
    ? to.analysis.topLevel.has(node) ? to.emit(node) : to.copy(node)
    : to.emit(node);
}

function body(node: ast.Statement, to: Writer): Code {
  const check = to.mode === "waiting" ? "if (__w.isDue()) await __w.pause();" : "__i.check();";
  return code`{ ${check} ${to.emit(node)} }`;
}
