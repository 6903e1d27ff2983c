import { PagewalkError } from "../../core/errors.ts";
import { escapeLines, escapeMessage } from "../../core/escape.ts";
import type { Style } from "../../report/style.ts";
import { typedLine } from "../evaluate/typed_lines.ts";
import { type ShowOptions, showValue } from "./inspect.ts";

/** A frame of code that was typed: V8 writes `at name (repl:3, <anonymous>:1:2)`. */
const TYPED_FRAME = /at (?:Proxy\.|async )?(.*?) ?\(?repl:(\d+), <anonymous>:(\d+):\d+\)?$/;

/**
 * Writes what was thrown: an error's name and message, and where in typed functions it came from. The
 * prompt's own frames say nothing to its user; `_err.stack` has them.
 */
export function errorText(
  error: unknown,
  options: ShowOptions,
  nearest: (name: string) => string | null = () => null,
): string {
  const { style } = options;
  if (!(error instanceof Error)) return `${style.bad("Thrown")}: ${showValue(error, options)}`;
  const lines = [errorLine(error, style) + meantText(error, nearest)];
  if (error instanceof PagewalkError) return lines[0]!;
  for (const frame of error.stack?.split("\n") ?? []) {
    const [, name, input, line] = TYPED_FRAME.exec(frame) ?? [];
    // The line itself, and a timer's callback, are `eval` to V8.
    if (name && !name.includes("eval")) {
      const typed = typedLine(Number(input), Number(line));
      lines.push(style.faint(`    at ${escapeMessage(name)} (input ${input}, line ${typed})`));
    }
  }
  if (error.cause instanceof Error) {
    lines.push(`caused by ${errorLine(error.cause, style)}`);
  }
  return lines.join("\n");
}

function errorLine({ name, message }: Error, style: Style): string {
  return `${style.bad(escapeMessage(String(name)))}: ${
    // What follows on lines of its own is not to be taken for the prompt's.
    escapeLines(String(message)).replaceAll("\n", "\n    ")}`;
}

/**
 * For a name that nobody knows: the one that was most likely meant. The name itself, if the prompt
 * knows it: then text was run as code, which JavaScript runs outside the prompt.
 */
function meantText(error: Error, nearest: (name: string) => string | null): string {
  const [, name] = /^(\S+) is not defined$/.exec(error.message) ?? [];
  const meant = error instanceof ReferenceError && name ? nearest(name) : null;
  if (meant === null) return "";
  return meant === name
    ? ": eval() and new Function() do not see the prompt's names; enter the code itself"
    : `: did you mean ${meant}?`;
}
