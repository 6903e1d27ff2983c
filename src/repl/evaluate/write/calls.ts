import type * as ast from "acorn";
import { type Code, code, join } from "../code.ts";
import { isHex } from "../hexadecimal.ts";
import type { Rules, Writer } from "./writer.ts";

/** Calls and what leads to them: the value of a call is waited for before anything is done with it. */
export const CALLS: Rules = {
  CallExpression: (node: ast.CallExpression, to) => {
    if (node.callee.type === "Super") return to.copy(node);
    const written = call(node, to);
    return to.mode === "waiting" ? to.settled(written, node) : written;
  },
  NewExpression: (node: ast.NewExpression, to) =>
    code`${to.tools}.construct(${to.quoted(node.callee)}, ${to.emit(node.callee)}, ${
      args(node, to)
    })`,
  MemberExpression: (node: ast.MemberExpression, to) =>
    node.object.type === "Super" ? to.copy(node) : member(to.use(node.object), node, to),
  ChainExpression: (node: ast.ChainExpression, to) =>
    code`(${link(node.expression, to, (written) => written)})`,
  ImportExpression: (node: ast.ImportExpression, to) => {
    const { source, options } = node;
    const given = join([to.use(source), ...options ? [to.use(options)] : []], ", ");
    const written = code`__w.import(${given})`;
    return to.mode === "waiting" ? to.settled(written, node) : written;
  },
  TaggedTemplateExpression: (node: ast.TaggedTemplateExpression, to) =>
    to.mode === "waiting" ? to.settled(to.copy(node), node) : to.copy(node),
  AwaitExpression: (node: ast.AwaitExpression, to) =>
    code`(await __w.wait(${raw(node.argument, to)}, -${to.site(node.argument)}))`,
};

/** A promise is wanted as such where one of its own methods is called. */
const PROMISE_METHODS = new Set(["then", "catch", "finally"]);

/** Writes an expression without waiting for its value. */
function raw(node: ast.Node, to: Writer): Code {
  switch (node.type) {
    case "CallExpression":
      return (node as ast.CallExpression).callee.type === "Super"
        ? to.copy(node)
        : call(node as ast.CallExpression, to);
    case "ParenthesizedExpression":
      return code`(${raw((node as ast.ParenthesizedExpression).expression, to)})`;
    default:
      return to.emit(node);
  }
}

function call(node: ast.CallExpression, to: Writer): Code {
  const callee = bare(node.callee);
  const name = to.quoted(callee);
  if (callee.type !== "MemberExpression") {
    return code`${to.tools}.call(${name}, ${
      callee.type === "Identifier" ? to.emit(callee) : to.use(callee)
    }, ${args(node, to)})`;
  }
  const { object, property } = callee;
  if (object.type === "Super") {
    return code`${to.tools}.apply(${name}, ${to.copy(callee)}, this, ${args(node, to)})`;
  }
  const isPromise = PROMISE_METHODS.has(to.text(property)) && !callee.computed;
  const owner = isPromise ? raw(object, to) : to.use(object);
  return method(owner, callee, args(node, to), to);
}

/** `(o.f)()` calls a method of o too. */
function bare(callee: ast.Expression | ast.Super): ast.Expression | ast.Super {
  return callee.type === "ParenthesizedExpression" && callee.expression.type === "MemberExpression"
    ? callee.expression
    : callee;
}

/** A call of an object's method, the object being written already. */
function method(owner: Code, callee: ast.MemberExpression, given: Code, to: Writer): Code {
  const { property, computed } = callee;
  const name = to.quoted(callee);
  if (property.type === "PrivateIdentifier") {
    return code`${to.tools}.reach(${name}, ${owner}, (o) => o.#${property.name}, ${given})`;
  }
  const key = computed ? to.use(property) : JSON.stringify(to.text(property));
  return code`${to.tools}.method(${name}, ${owner}, ${key}, ${given})`;
}

function args(node: ast.CallExpression | ast.NewExpression, to: Writer): Code {
  const isCombinator = node.type === "CallExpression" &&
    to.text(node.callee).startsWith("Promise.");
  const written = node.arguments.map((argument) => {
    if (isCombinator && argument.type === "ArrayExpression") {
      return to.around(
        argument,
        argument.elements.filter((element) => element !== null),
        (element) => raw(element, to),
      );
    }
    const isCall = ["CallExpression", "ChainExpression"].includes(argument.type);
    const written = isCall && !isCombinator ? to.use(argument) : to.emit(argument);
    const isPrinted = to.text(node.callee) === "print" && isHex(argument, to.analysis.hexNames);
    return isPrinted ? code`${to.tools}.asAddress(print, ${written})` : written;
  });
  return code`[${join(written, ", ")}]`;
}

/** A property of an object that is written already. */
function member(object: Code, node: ast.MemberExpression, to: Writer): Code {
  const { property, computed } = node;
  if (computed) return code`${object}[${to.use(property)}]`;
  // A dot after digits would belong to the number.
  const isNumber = node.object.type === "Literal" && typeof node.object.value === "number";
  return isNumber ? code`(${object}).${[property]}` : code`${object}.${[property]}`;
}

/**
 * `a?.b(c).d`: where a link is missing, the rest of the chain is skipped. What has been evaluated is
 * kept in `__t` or `__u` until the next link reads it, first of all.
 */
function link(node: ast.Node, to: Writer, rest: (written: Code) => Code): Code {
  if (node.type === "MemberExpression") {
    const access = node as ast.MemberExpression;
    if (access.object.type === "Super") return rest(to.copy(node));
    return link(
      access.object,
      to,
      (object) =>
        unlessMissing(
          access.optional ?? false,
          settledIn(object, access.object, to),
          (there) => rest(member(there, access, to)),
        ),
    );
  }
  if (node.type !== "CallExpression") return rest(to.use(node));
  const called = node as ast.CallExpression;
  const { callee } = called;
  const value = (written: Code) => rest(to.settled(written, node));
  if (callee.type !== "MemberExpression" || callee.object.type === "Super") {
    return link(
      callee,
      to,
      (written) =>
        unlessMissing(
          called.optional ?? false,
          written,
          (there) =>
            value(code`${to.tools}.call(${to.quoted(callee)}, ${there}, ${args(called, to)})`),
        ),
    );
  }
  return link(
    callee.object,
    to,
    (object) =>
      unlessMissing(callee.optional ?? false, settledIn(object, callee.object, to), (there) => {
        if (!called.optional) return value(method(there, callee, args(called, to), to));
        const found = member(code`(__u = ${there})`, callee, to);
        return code`((__t = ${found}) == null ? undefined : ${
          value(code`${to.tools}.apply(${to.quoted(callee)}, __t, __u, ${args(called, to)})`)
        })`;
      }),
  );
}

/** A link of a chain that is not a call may be a promise that was kept. */
function settledIn(written: Code, node: ast.Node, to: Writer): Code {
  return node.type === "MemberExpression" ? to.settled(written, node) : written;
}

function unlessMissing(isOptional: boolean, written: Code, rest: (there: Code) => Code): Code {
  if (!isOptional) return rest(written);
  return code`((__t = ${written}) == null ? undefined : ${rest(code`__t`)})`;
}
