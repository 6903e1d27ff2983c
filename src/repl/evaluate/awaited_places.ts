import type { Node } from "acorn";

/** Nodes whose code runs later, or where `await` cannot stand. */
const LATER = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "ClassBody",
]);

/** Says whether a node belongs to the code that runs as soon as the line is entered. */
export function runsAtOnce(ancestors: readonly Node[]): boolean {
  return !ancestors.slice(0, -1).some((node) => LATER.has(node.type));
}

/**
 * Where the value of any expression is awaited: results, what variables are given (a promise kept in a
 * variable would help nobody at a prompt), and what the user awaits, so that it can be cancelled.
 */
const VALUES: Readonly<Record<string, string>> = {
  AwaitExpression: "argument",
  ExpressionStatement: "expression",
  VariableDeclarator: "init",
  AssignmentExpression: "right",
};

/** Where a *call* is awaited besides: places where a promise is of no use to anyone. */
const OPERANDS: Readonly<Record<string, readonly string[]>> = {
  BinaryExpression: ["left", "right"],
  CallExpression: ["arguments"],
  ConditionalExpression: ["test"],
  ForInStatement: ["right"],
  ForOfStatement: ["right"],
  IfStatement: ["test"],
  LogicalExpression: ["left", "right"],
  MemberExpression: ["object"],
  NewExpression: ["arguments"],
  SequenceExpression: ["expressions"],
  SpreadElement: ["argument"],
  SwitchStatement: ["discriminant"],
  TemplateLiteral: ["expressions"],
  UnaryExpression: ["argument"],
  WhileStatement: ["test"],
  DoWhileStatement: ["test"],
};

const CALLS = new Set(["CallExpression", "ChainExpression", "ImportExpression"]);

/** Expressions that are no promise, or that take their name from the variable they are given to. */
const NEVER_AWAITED = new Set([
  "ArrowFunctionExpression",
  "AwaitExpression",
  "BinaryExpression",
  "ClassExpression",
  "FunctionExpression",
  "Literal",
  "ObjectExpression",
  "ParenthesizedExpression",
  "TemplateLiteral",
  "UnaryExpression",
  "UpdateExpression",
  "YieldExpression",
]);

/** A promise is wanted as such where one of its own methods is called. */
const PROMISE_METHODS = new Set(["then", "catch", "finally"]);

/**
 * Says whether the prompt awaits an expression for the user: `walk(va).outcome` means the outcome of
 * the walk, not that of a promise. Code inside functions is never touched.
 *
 * @param ancestors the nodes from the program down to the expression itself
 */
export function isAwaited(ancestors: readonly Node[]): boolean {
  const node = ancestors.at(-1)!;
  if (NEVER_AWAITED.has(node.type) || !runsAtOnce(ancestors)) return false;
  let depth = ancestors.length - 2;
  let child: Node = node;
  while (ancestors[depth]?.type === "ParenthesizedExpression") child = ancestors[depth--]!;
  const parent = ancestors[depth];
  if (!parent) return false;
  if (holds(parent, VALUES[parent.type], child)) return true;
  if (!CALLS.has(node.type)) return false;
  if (isPromiseMethod(parent, child)) return false;
  // `a?.b().c` skips all of the chain if `a` is missing; an await would cut the chain in two.
  if (parent.type === "MemberExpression" && hasOptionalLink(node)) return false;
  return (OPERANDS[parent.type] ?? []).some((key) => holds(parent, key, child));
}

function holds(parent: Node, key: string | undefined, child: Node): boolean {
  if (key === undefined) return false;
  const held = (parent as unknown as Record<string, unknown>)[key];
  return held === child || Array.isArray(held) && held.includes(child);
}

function isPromiseMethod(parent: Node, child: Node): boolean {
  const { object, property } = parent as { object?: Node; property?: { name?: string } };
  return parent.type === "MemberExpression" && object === child &&
    PROMISE_METHODS.has(property?.name ?? "");
}

function hasOptionalLink(node: Node): boolean {
  const link = node as { optional?: boolean; callee?: Node; object?: Node };
  if (link.optional) return true;
  const inner = link.callee ?? link.object;
  return inner !== undefined && hasOptionalLink(inner);
}
