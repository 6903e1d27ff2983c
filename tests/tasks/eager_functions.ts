import { type AnyNode, parse } from "acorn";

/**
 * Writes the functions that a run calls so that V8 compiles them with their file. Others it compiles when they
 * are first called, and as Deno fills its code cache before anything runs, that is done anew at each start.
 * V8 takes a function in parentheses for one that is called at once (`ParsePrimaryExpression` in its
 * `parser-base.h`). A declaration becomes a variable for that, before everything else, so that it is there as
 * early as it was. Methods and asynchronous arrow functions have no such form.
 *
 * @param text a bundled module
 * @param called the offsets at which the functions end that are called
 */
export function withEagerFunctions(text: string, called: ReadonlySet<number>): string {
  const first: string[] = [];
  let [rest, at] = ["", 0];
  for (const statement of parse(text, { ecmaVersion: "latest", sourceType: "module" }).body) {
    const written = withParentheses(statement, text, called);
    const isEager = statement.type === "FunctionDeclaration" && called.has(statement.end);
    if (isEager) first.push(`var ${statement.id.name}=(${written});`);
    rest += text.slice(at, statement.start) + (isEager ? "" : written);
    at = statement.end;
  }
  return first.join("") + rest + text.slice(at);
}

/** The text of a node, with the called arrow functions in it in parentheses. */
function withParentheses(node: AnyNode, text: string, called: ReadonlySet<number>): string {
  let [written, at] = ["", node.start];
  for (const child of childrenOf(node)) {
    if (child.start < at) continue; // Key and value of `{ name }` are one.
    written += text.slice(at, child.start) + withParentheses(child, text, called);
    at = child.end;
  }
  written += text.slice(at, node.end);
  const isEager = node.type === "ArrowFunctionExpression" && !node.async && called.has(node.end);
  return isEager ? `(${written})` : written;
}

function childrenOf(node: AnyNode): AnyNode[] {
  return Object.values(node).flat().filter(isNode).sort((a, b) => a.start - b.start);
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
