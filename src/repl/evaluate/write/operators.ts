import type * as ast from "acorn";
import { type Code, code } from "../code.ts";
import { OPERATIONS } from "../exact.ts";
import { bigLiteral } from "./literals.ts";
import type { Rules, Writer } from "./writer.ts";

/** Operators: exact where JavaScript rounds, cuts or throws, and on values that were waited for. */
export const OPERATORS: Rules = {
  BinaryExpression: binary,
  LogicalExpression: (node: ast.LogicalExpression, to) =>
    to.around(
      node,
      [node.left, node.right],
      (part) => part === node.left ? to.use(part) : to.emit(part),
    ),
  ConditionalExpression: (node: ast.ConditionalExpression, to) =>
    to.around(
      node,
      [node.test, node.consequent, node.alternate],
      (part) => part === node.test ? to.use(part) : to.emit(part),
    ),
  UnaryExpression: unary,
  UpdateExpression: (node: ast.UpdateExpression, to) => update(node, to, true),
  AssignmentExpression: assignment,
  TemplateLiteral: (node: ast.TemplateLiteral, to) =>
    to.around(node, node.expressions, (part) => to.use(part)),
  SpreadElement: (node: ast.SpreadElement, to) => {
    const list = code`__w.spread(${to.use(node.argument)})`;
    if (to.mode === "immediate") return code`...${to.use(node.argument)}`;
    return code`...(__w.later(__t = ${list}) ? await __w.wait(__t, 0) : __t)`;
  },
};

const COMPARED_AS_TYPED = new Set(["<", ">", "<=", ">=", "==", "!=", "in"]);

function binary(node: ast.BinaryExpression, to: Writer): Code {
  const { operator, left, right } = node;
  if (left.type === "PrivateIdentifier") return to.copy(node);
  const site = to.site(node);
  if (operator in OPERATIONS) {
    if (isText(left) && isText(right)) return to.copy(node);
    const sign = JSON.stringify(operator);
    return code`${to.tools}.calculate(${sign}, ${operand(left, to)}, ${
      operand(right, to)
    }, ${site})`;
  }
  if (operator === "===" || operator === "!==") {
    if (isNoInteger(left) || isNoInteger(right)) return to.copy(node);
    const same = code`__w.isSame(${to.emit(left)}, ${to.emit(right)})`;
    return operator === "===" ? same : code`(!${same})`;
  }
  const needsValues = COMPARED_AS_TYPED.has(operator);
  return to.around(node, [left, right], (part) => needsValues ? to.use(part) : to.emit(part));
}

/** What an operator is given: a call's value is there; another promise makes the result a promise. */
function operand(node: ast.Node, to: Writer): Code {
  return node.type === "CallExpression" ? to.use(node) : to.emit(node);
}

function unary(node: ast.UnaryExpression, to: Writer): Code {
  const { operator, argument } = node;
  switch (operator) {
    case "-":
      if (argument.type === "Literal") return to.copy(node);
      return code`${to.tools}.negate(${operand(argument, to)})`;
    case "+":
      return code`${to.tools}.plus(${operand(argument, to)})`;
    case "~":
      return code`${to.tools}.invert(${operand(argument, to)})`;
    case "!":
      return code`!${to.use(argument)}`;
    case "typeof":
      return argument.type === "Identifier" ? to.copy(node) : code`typeof ${to.use(argument)}`;
    case "delete":
      return remove(argument, to);
    default:
      return to.copy(node);
  }
}

/** A variable of the prompt can be deleted, which strict code has no word for. */
function remove(argument: ast.Expression, to: Writer): Code {
  const inner = argument.type === "ParenthesizedExpression" ? argument.expression : argument;
  if (inner.type === "Identifier") return code`__w.forget(${JSON.stringify(inner.name)})`;
  return inner.type === "ChainExpression"
    ? code`delete ${[inner]}`
    : code`delete ${to.emit(argument)}`;
}

function assignment(node: ast.AssignmentExpression, to: Writer): Code {
  const { operator, left, right } = node;
  const sign = operator.slice(0, -1);
  if (sign in OPERATIONS) {
    const value = operand(right, to);
    const quoted = JSON.stringify(sign);
    const place = placeOf(left, to);
    if (place) return code`${place}.calculate(${quoted}, ${value}, ${to.site(node)})`;
    const target = to.emit(left);
    return code`(${target} = ${to.tools}.calculate(${quoted}, ${target}, ${value}, ${
      to.site(node)
    }))`;
  }
  const name = left.type === "Identifier" ? left.name : undefined;
  const isPattern = left.type === "ObjectPattern" || left.type === "ArrayPattern";
  const value = isPattern ? to.use(right) : to.emit(right, name);
  const place = operator === "=" && isIndexed(left) ? placeOf(left, to, "write") : undefined;
  if (place) return code`${place}.set(${value})`;
  return to.around(node, [left, right], (part) => part === right ? value : to.emit(part));
}

/** An element or a length, which may be of a typed array and want one kind of number. */
function isIndexed(left: ast.Pattern): boolean {
  return left.type === "MemberExpression" &&
    (left.computed || left.property.type === "Identifier" && left.property.name === "length");
}

/** A property that is read and written, its object and key evaluated once. */
function placeOf(target: ast.Node, to: Writer, how?: "write"): Code | undefined {
  if (target.type === "ParenthesizedExpression") {
    return placeOf((target as ast.ParenthesizedExpression).expression, to, how);
  }
  if (target.type !== "MemberExpression") return;
  const { object, property, computed } = target as ast.MemberExpression;
  if (object.type === "Super" || property.type === "PrivateIdentifier") return;
  const key = computed ? to.use(property) : JSON.stringify(to.text(property));
  return code`${to.tools}.${how === "write" ? "target" : "place"}(${to.use(object)}, ${key})`;
}

/** `x++` and its like; where nobody looks at the value, the shorter form. */
export function update(node: ast.UpdateExpression, to: Writer, isUsed: boolean): Code {
  const { operator, argument, prefix } = node;
  const sign = operator === "++" ? '"+"' : '"-"';
  const isNew = prefix || !isUsed;
  const place = placeOf(argument, to);
  if (place) return code`${place}.step(${sign}, ${String(isNew)}, ${to.site(node)})`;
  const target = to.emit(argument);
  const stepped = code`${target} = ${to.tools}.calculate(${sign}, ${to.tools}.plus(${target}), 1, ${
    to.site(node)
  })`;
  if (!isUsed) return stepped;
  return isNew
    ? code`(${stepped})`
    : code`${to.tools}.first(${to.tools}.plus(${target}), ${stepped})`;
}

function isText(node: ast.Node): boolean {
  return node.type === "TemplateLiteral" ||
    node.type === "Literal" && typeof (node as ast.Literal).value === "string";
}

/** What is never the same as an integer, so that JavaScript's own comparison is right. */
function isNoInteger(node: ast.Node): boolean {
  if (node.type === "Literal") {
    const literal = node as ast.Literal;
    return typeof literal.value !== "number" && !literal.bigint &&
      bigLiteral(literal) === undefined;
  }
  return node.type === "TemplateLiteral" ||
    node.type === "UnaryExpression" && (node as ast.UnaryExpression).operator === "typeof" ||
    node.type === "Identifier" && (node as ast.Identifier).name === "undefined";
}
