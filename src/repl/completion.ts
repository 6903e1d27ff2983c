import { type Token, tokenizer, tokTypes } from "acorn";
import * as util from "node:util";
import { escapeForString, hasUnsafe } from "../core/escape.ts";
import type { Scope } from "./evaluate/scope.ts";
import type { HelperContext } from "./helper.ts";
import { symbolNames } from "./linux.ts";
import { REGISTER_NAMES } from "./registers.ts";
import type { Completion } from "./terminal/line_editor.ts";

/** What a completer looks things up in. */
export interface CompletionSources {
  readonly scope: Scope;
  readonly context: HelperContext;
  /** The prompt's own commands, such as `.help`. */
  readonly commands: readonly string[];
}

const NOTHING: Completion = { candidates: [], replaces: "" };
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * Completes what stands before the cursor: a command, a name, a property along a chain of names, or
 * the text that is a helper's first argument. Nothing is run for it: no getter, no proxy, no call.
 */
export async function complete(text: string, sources: CompletionSources): Promise<Completion> {
  if (/^\s*\.\w*$/.test(text)) return matching(sources.commands, text.trim());
  const tokenised = tokenise(text);
  if (!tokenised) return NOTHING;
  const { tokens, open: string } = tokenised;
  if (string) {
    const [called, open] = tokens.slice(-2);
    const name = open?.type === tokTypes.parenL && isName(called) && textOf(called, text);
    return name ? await completeArgument(name, string, sources.context) : NOTHING;
  }
  const chain = chainAtEnd(tokens, text);
  if (!chain) return NOTHING;
  const { objects, partial } = chain;
  if (objects.length === 0) return matching(namesInScope(sources.scope), partial);
  const holder = follow(objects, sources);
  return holder === undefined ? NOTHING : matching(propertyNames(holder.value), partial);
}

function matching(names: Iterable<string>, partial: string): Completion {
  const candidates = [...new Set(names)].filter((name) => name.startsWith(partial));
  // A name that turns or hides text cannot be told from another one.
  const legible = candidates.filter((name) => !hasUnsafe(name));
  // Names with an underscore in front are shown only to those who ask for them.
  // So are registers.
  const shown = legible.filter((name) => partial !== "" || !/^[_$]/.test(name));
  if (shown.length <= MAX_SHOWN) return { candidates: shown.toSorted(), replaces: partial };
  // Too many to be read: what they have in common.
  const common = commonStart(shown);
  return { candidates: common.length > partial.length ? [common] : [], replaces: partial };
}

/** More than a screen holds. */
const MAX_SHOWN = 300;

function commonStart(words: readonly string[]): string {
  let common = words[0]!;
  for (const word of words) {
    while (!word.startsWith(common)) common = common.slice(0, -1);
  }
  return common;
}

/** A string that has not ended yet: its quote, and what stands behind it. */
interface OpenString {
  readonly quote: string;
  readonly text: string;
}

/**
 * The tokens of a text that may end anywhere, and the string that is open there. Undefined within what
 * is not code: a comment, a template's text.
 */
function tokenise(text: string): { tokens: Token[]; open?: OpenString } | undefined {
  const tokens: Token[] = [];
  try {
    for (const token of tokenizer(text, { ecmaVersion: "latest" })) tokens.push(token);
  } catch (error) {
    const { message, pos } = error as SyntaxError & { pos?: number };
    if (pos === undefined) throw error;
    const isString = message.startsWith("Unterminated string");
    return isString
      ? { tokens, open: { quote: text[pos]!, text: text.slice(pos + 1) } }
      : undefined;
  }
  return { tokens };
}

/** What an argument may be, written as the rest of its string: no name of a process ends it. */
async function completeArgument(
  called: string,
  { quote, text }: OpenString,
  context: HelperContext,
): Promise<Completion> {
  const helper = context.helpers.find(({ name }) => name === called);
  const all = helper?.complete
    ? await helper.complete(context)
    : helper?.addresses?.includes(0)
    ? await addressNames(text, context)
    : [];
  return matching(all.map((name) => escapeForString(name, quote)), text);
}

/** What names an address, once it has begun: a register, a symbol of the kernel's. */
async function addressNames(begun: string, context: HelperContext): Promise<readonly string[]> {
  if (begun.startsWith("$")) return REGISTER_NAMES;
  return begun.length < 2 ? [] : await symbolNames(context);
}

/** A name or an index along a chain. */
type Link = string | number;

/** The chain of names at the end of a text: `w.steps[3].fl` is `w`, `steps`, 3, and the partial `fl`. */
function chainAtEnd(
  tokens: readonly Token[],
  text: string,
): { objects: Link[]; partial: string } | undefined {
  let at = tokens.length - 1;
  let partial = "";
  const last = tokens[at];
  if (last && last.end === text.length && isName(last)) {
    partial = textOf(last, text);
    at--;
  } else if (last && last.end === text.length && !isDot(last) && !startsName(last)) {
    return undefined;
  }
  const objects: Link[] = [];
  while (isDot(tokens[at])) {
    at--;
    for (; tokens[at]?.type === tokTypes.bracketR; at -= 3) {
      const index = tokens[at - 1];
      if (index?.type !== tokTypes.num || tokens[at - 2]?.type !== tokTypes.bracketL) return;
      objects.unshift(Number(textOf(index, text)));
    }
    const name = tokens[at];
    if (!isName(name)) return undefined;
    objects.unshift(textOf(name, text));
    at--;
  }
  return { objects, partial };
}

function isDot(token: Token | undefined): boolean {
  return token?.type === tokTypes.dot || token?.type === tokTypes.questionDot;
}

function isName(token: Token | undefined): token is Token {
  return token?.type === tokTypes.name || token?.type.keyword !== undefined;
}

/** After a closing bracket or a literal no name can begin. */
function startsName({ type }: Token): boolean {
  const ends = [
    tokTypes.parenR,
    tokTypes.bracketR,
    tokTypes.braceR,
    tokTypes.num,
    tokTypes.string,
    tokTypes.backQuote,
  ];
  return !ends.includes(type);
}

function textOf({ start, end }: Token, text: string): string {
  return text.slice(start, end);
}

function namesInScope(scope: Scope): string[] {
  return [
    ...scope.names(),
    ...Object.getOwnPropertyNames(globalThis),
    ...KEYWORDS,
    ...REGISTER_NAMES,
  ];
}

const KEYWORDS = ["await", "class", "const", "for", "function", "import", "let", "typeof", "while"];

/** Follows a chain without running anything; undefined where that is not possible. */
function follow(
  links: readonly Link[],
  { scope, context }: CompletionSources,
): { value: unknown } | undefined {
  const [first, ...rest] = links;
  const name = String(first);
  const isSession = name === "session" && !scope.hasVariable(name);
  const start = isSession
    ? { value: context.guest.current }
    : scope.describe(name) ?? Object.getOwnPropertyDescriptor(globalThis, name);
  let value = valueOf(start);
  for (const link of rest) {
    if (!value) return undefined;
    value = valueOf(describe(value.value, link));
  }
  return value;
}

/** The value of a property that is not a getter. */
function valueOf(property: PropertyDescriptor | undefined): { value: unknown } | undefined {
  return property && "value" in property ? { value: property.value } : undefined;
}

function describe(holder: unknown, name: Link): PropertyDescriptor | undefined {
  for (const object of prototypes(holder)) {
    const property = Object.getOwnPropertyDescriptor(object, name);
    if (property) return property;
  }
  return undefined;
}

function propertyNames(holder: unknown): string[] {
  const chain = prototypes(holder);
  // What every object has is of no interest, unless the object is just that.
  const own = chain.filter((object) => object !== Object.prototype);
  return own.flatMap((object) => Object.getOwnPropertyNames(object))
    .filter((name) => IDENTIFIER.test(name) && name !== "constructor");
}

/** A value and its prototypes, as far as no proxy would be asked. */
function prototypes(holder: unknown): object[] {
  const chain: object[] = [];
  if (holder === null || holder === undefined) return chain;
  for (let object = Object(holder); object !== null; object = Object.getPrototypeOf(object)) {
    if (util.types.isProxy(object)) break;
    chain.push(object);
  }
  return chain;
}
