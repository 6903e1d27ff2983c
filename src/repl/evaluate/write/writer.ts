import type * as ast from "acorn";
import type { Analysis } from "../analyse.ts";
import { childrenOf } from "../children.ts";
import { type Code, code, type Span } from "../code.ts";

/**
 * How code runs. `waiting` code may wait for promises: what is typed, and functions that typed code
 * calls. `immediate` code may not: generators, getters, constructors, and functions that JavaScript
 * itself calls back.
 */
export type Mode = "waiting" | "immediate";

/** Writes one kind of node; `name` is what an anonymous function there is called after. */
// deno-lint-ignore no-explicit-any
export type Rule = (node: any, to: Writer, name?: string) => Code;

/** The rules, by the type of node. Nodes without one are copied, their parts written by the rules. */
export type Rules = Readonly<Record<string, Rule>>;

/** The rules of a line. */
export interface RuleSet {
  /** For what outlives the line. */
  readonly outer: Rules;
  /** For all else. */
  readonly inner: Rules;
}

/** Expressions whose value is never a promise, or is one that is wanted as such. */
const NEVER_LATER = new Set([
  "ArrayExpression",
  "ArrowFunctionExpression",
  "AwaitExpression",
  "ClassExpression",
  "FunctionExpression",
  "Literal",
  "ObjectExpression",
  "Super",
  "TemplateLiteral",
  "ThisExpression",
  "UpdateExpression",
]);

const ARITHMETIC = new Set(["+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", ">>>"]);

/** Writes a syntax tree as code that runs at the prompt, by rules. */
export class Writer {
  readonly mode: Mode;
  /** Whether functions get twins: not again in that form of a function that has one itself. */
  readonly twins: boolean;
  readonly analysis: Analysis;
  readonly #rules: RuleSet;

  /** Writes a line. */
  constructor(analysis: Analysis, rules: RuleSet, mode: Mode = "waiting", twins = true) {
    this.analysis = analysis;
    this.#rules = rules;
    this.mode = mode;
    this.twins = twins;
  }

  /** The name of what written code calls: it differs in what it may wait for. */
  get tools(): "__w" | "__i" {
    return this.mode === "waiting" ? "__w" : "__i";
  }

  /** The same for another mode. */
  in(mode: Mode, twins: boolean = this.twins): Writer {
    return mode === this.mode && twins === this.twins
      ? this
      : new Writer(this.analysis, this.#rules, mode, twins);
  }

  /** The typed text of a node. */
  text({ start, end }: Span): string {
    return this.analysis.source.slice(start, end);
  }

  /** The text of a node as a string literal, short, for messages. */
  quoted(node: Span): string {
    const text = this.text(node).replace(/\s+/g, " ");
    return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
  }

  /** A number for a node, by which a saved script knows what happened there. */
  site(node: ast.Node): number {
    return node.start * 2 ** 20 + node.end;
  }

  /** Writes a node. The value of a call is there, in waiting code. */
  emit(node: ast.Node, name?: string): Code {
    const outer = this.analysis.topLevel.has(node) ? this.#rules.outer[node.type] : undefined;
    return outer ? outer(node, this, name) : this.below(node, name);
  }

  /** Writes a node as if it did not outlive the line. */
  below(node: ast.Node, name?: string): Code {
    const rule = this.#rules.inner[node.type];
    return rule ? rule(node, this, name) : this.copy(node);
  }

  /** Writes an expression whose value is needed now: a promise is waited for, or refused. */
  use(node: ast.Node): Code {
    const written = this.emit(node);
    return this.mayBeLater(node) ? this.settled(written, node) : written;
  }

  /** Waits for a value that may be a promise; code that cannot wait refuses one. */
  settled(written: Code, node: ast.Node): Code {
    return this.mode === "waiting"
      ? code`(__w.later(__t = ${written}) ? await __w.wait(__t, ${this.site(node)}) : __t)`
      : code`__i.now(${written}, ${this.quoted(node)})`;
  }

  /** Says whether an expression, once written, may have a promise for its value. */
  mayBeLater(node: ast.Node): boolean {
    if (NEVER_LATER.has(node.type)) return false;
    switch (node.type) {
      case "CallExpression":
      case "ChainExpression":
      case "ImportExpression":
      case "TaggedTemplateExpression":
        return this.mode === "immediate";
      case "ParenthesizedExpression":
        return this.mayBeLater((node as ast.ParenthesizedExpression).expression);
      case "UnaryExpression": {
        const { operator, argument } = node as ast.UnaryExpression;
        return ["-", "+", "~"].includes(operator) && this.mayBeLater(argument);
      }
      case "BinaryExpression": {
        const { operator, left, right } = node as ast.BinaryExpression;
        return ARITHMETIC.has(operator) && (this.mayBeLater(left) || this.mayBeLater(right));
      }
      default:
        return true;
    }
  }

  /** Copies a node as it was typed, its parts written by the rules. */
  copy(node: ast.Node): Code {
    return this.around(node, childrenOf(node), (child) => this.emit(child));
  }

  /** Copies a node, some of its parts written in another way. */
  around(
    { start, end }: Span,
    parts: readonly ast.Node[],
    write: (part: ast.Node) => Code,
  ): Code {
    const all: Code[] = [];
    let at = start;
    for (const part of parts) {
      if (part.start > at) all.push({ start: at, end: part.start });
      all.push(write(part));
      at = part.end;
    }
    if (end > at) all.push({ start: at, end });
    return all;
  }
}
