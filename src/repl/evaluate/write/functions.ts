import type * as ast from "acorn";
import { type Code, code, join } from "../code.ts";
import { childrenOf } from "../children.ts";
import type { Rules, Writer } from "./writer.ts";

type AnyFunction = ast.FunctionDeclaration | ast.FunctionExpression | ast.ArrowFunctionExpression;

/**
 * Functions. JavaScript's own functions call them without waiting, typed code can wait for them: each
 * is written twice, and typed code calls the second, its twin. Generators and async functions have one
 * form only.
 */
export const FUNCTIONS: Rules = {
  FunctionDeclaration: (node: ast.FunctionDeclaration, to) => form(node, to, ownMode(node)),
  FunctionExpression: expression,
  ArrowFunctionExpression: expression,
  ObjectExpression: (node: ast.ObjectExpression, to) => {
    const written = to.copy(node);
    return node.properties.some((part) => isTwinned(part, to))
      ? code`__w.adopt(${written})`
      : written;
  },
  Property: (node: ast.Property, to) => {
    if (node.kind !== "init" || node.method) return methodAndTwin(node, to);
    const name = node.computed ? undefined : to.text(node.key);
    return node.shorthand
      ? to.emit(node.value)
      : to.around(node, [node.key, node.value], (part) =>
        part === node.value ? to.emit(part, name) : node.computed ? to.use(part) : [part]);
  },
  MethodDefinition: (node: ast.MethodDefinition, to) => methodAndTwin(node, to),
  PropertyDefinition: (node: ast.PropertyDefinition, to) => {
    const name = node.computed ? undefined : to.text(node.key);
    const parts = [node.key, ...node.value ? [node.value] : []];
    const written = to.around(
      node,
      parts,
      (part) =>
        part === node.value
          ? to.in("immediate").emit(part, name)
          : node.computed
          ? to.use(part)
          : [part],
    );
    return to.text(node).endsWith(";") ? written : code`${written};`;
  },
  StaticBlock: (node: ast.StaticBlock, to) => to.in("immediate").copy(node),
  AssignmentPattern: (node: ast.AssignmentPattern, to) => {
    const name = node.left.type === "Identifier" ? node.left.name : undefined;
    return to.around(
      node,
      [node.left, node.right],
      (part) => part === node.right ? to.emit(part, name) : to.emit(part),
    );
  },
  ClassExpression: classExpression,
};

/** Writes a class, called after the variable that it is given to if it has no name of its own. */
export function classExpression(
  node: ast.ClassExpression | ast.ClassDeclaration,
  to: Writer,
  name?: string,
): Code {
  const written = to.copy(node);
  const isAdopted = name !== undefined && !node.id ||
    node.body.body.some((part) => isTwinned(part, to));
  return isAdopted
    ? code`__w.adoptClass(${written}${
      name !== undefined && !node.id ? `, ${JSON.stringify(name)}` : ""
    })`
    : written;
}

/** The statement that makes a declared function's twin; it stands where the function is hoisted to. */
export function twinOf(node: ast.FunctionDeclaration, to: Writer): Code {
  const name = node.id!.name;
  return hasTwin(node, to)
    ? code`__w.twin(${name}, ${form(node, to, "waiting", "anonymous")}); `
    : [];
}

function expression(
  node: ast.FunctionExpression | ast.ArrowFunctionExpression,
  to: Writer,
  name?: string,
): Code {
  const own = form(node, to, ownMode(node));
  const id = node.type === "FunctionExpression" ? node.id?.name : undefined;
  const called = id === undefined && name !== undefined ? JSON.stringify(name) : "undefined";
  if (!hasTwin(node, to)) {
    if (node.async || node.generator) {
      return called === "undefined" ? own : code`__w.named(${own}, ${called})`;
    }
    return to.twins || called !== "undefined" ? code`__w.plain(${own}, ${called})` : own;
  }
  const twin = form(node, to, "waiting", "anonymous");
  if (id === undefined) return code`__w.twin(${own}, ${twin}, ${called})`;
  // The twin must know the function by its own name too.
  return code`(() => { const ${id} = ${own}; return __w.twin(${id}, ${twin}); })()`;
}

/** Says whether typed code may have to wait within a function. */
function hasTwin(node: AnyFunction, to: Writer): boolean {
  return to.twins && !node.async && !node.generator && needsWaiting(node.body);
}

const WAITS = new Set([
  "CallExpression",
  "NewExpression",
  "MemberExpression",
  "TaggedTemplateExpression",
  "ImportExpression",
  "ForOfStatement",
  "ForInStatement",
  "ForStatement",
  "WhileStatement",
  "DoWhileStatement",
  "SpreadElement",
  "TemplateLiteral",
  "IfStatement",
  "ConditionalExpression",
  "LogicalExpression",
  "BinaryExpression",
  "SwitchStatement",
]);

/** A function that only adds and compares what it is given needs no twin, and is quicker without. */
function needsWaiting(body: ast.Node): boolean {
  if (body.type === "BlockStatement") return true;
  return contains(
    body,
    (node) =>
      node.type === "BinaryExpression"
        ? ["in", "instanceof"].includes((node as ast.BinaryExpression).operator)
        : WAITS.has(node.type),
  );
}

const containing = new WeakMap<ast.Node, boolean>();

function contains(node: ast.Node, test: (node: ast.Node) => boolean): boolean {
  let found = containing.get(node);
  if (found === undefined) {
    found = test(node) || childrenOf(node).some((child) => contains(child, test));
    containing.set(node, found);
  }
  return found;
}

function ownMode(node: AnyFunction): "waiting" | "immediate" {
  return node.async ? "waiting" : "immediate";
}

/** Writes one form of a function. */
function form(
  node: AnyFunction,
  to: Writer,
  mode: "waiting" | "immediate",
  how?: "anonymous",
): Code {
  const isWaiting = mode === "waiting";
  const body = to.in(mode, to.twins && (isWaiting || !hasTwin(node, to)));
  // A parameter's default cannot wait, even in a function that can.
  const params = join(node.params.map((param) => to.in("immediate").emit(param)), ", ");
  const async = isWaiting ? "async " : "";
  const star = node.generator ? "*" : "";
  if (node.type === "ArrowFunctionExpression") {
    const isBlock = node.body.type === "BlockStatement";
    const written = isBlock ? body.emit(node.body) : code`(${body.emit(node.body)})`;
    return code`(${async}(${params}) => ${written})`;
  }
  const name = how === "anonymous" ? "" : node.id?.name ?? "";
  const written = code`${async}function${star} ${name}(${params}) ${body.emit(node.body)}`;
  return node.type === "FunctionDeclaration" && how === undefined ? written : code`(${written})`;
}

type Method = (ast.Property | ast.MethodDefinition) & { value: ast.FunctionExpression };

/** Says whether a part of an object or class is a method that gets a twin; private ones get none. */
function isTwinned(part: ast.Node, to: Writer): part is ast.Property | ast.MethodDefinition {
  const { type, kind, method, key, computed, value } = part as unknown as {
    readonly type: string;
    readonly kind: string;
    readonly method?: boolean;
    readonly key: ast.Node;
    readonly computed: boolean;
    readonly value: ast.FunctionExpression;
  };
  const isMethod = type === "MethodDefinition" ? kind === "method" : type === "Property" && method;
  return Boolean(isMethod) && !computed && key.type !== "PrivateIdentifier" && hasTwin(value, to);
}

/** A method, and after it its twin under a name that is taken away again when the object is there. */
function methodAndTwin(node: ast.Property | ast.MethodDefinition, to: Writer): Code {
  const { key, computed, value } = node as Method;
  const isStatic = node.type === "MethodDefinition" && node.static;
  const before = { start: node.start, end: key.start };
  const written = computed ? to.use(key) : [key];
  const between = { start: key.end, end: value.start };
  const hasOne = isTwinned(node, to);
  const inside = to.in(ownMode(value), to.twins && !hasOne);
  const own = code`${[before]}${written}${[between]}${methodForm(value, inside)}`;
  if (!hasOne) return own;
  const name = key.type === "Literal" ? String(key.value) : to.text(key);
  const separator = node.type === "Property" ? "," : "";
  return code`${own}${separator} ${isStatic ? "static " : ""}async [__w.twinKey(${
    JSON.stringify(name)
  })]${methodForm(value, to.in("waiting"))}`;
}

function methodForm(value: ast.FunctionExpression, to: Writer): Code {
  const params = join(value.params.map((param) => to.in("immediate").emit(param)), ", ");
  return code`(${params}) ${to.emit(value.body)}`;
}
