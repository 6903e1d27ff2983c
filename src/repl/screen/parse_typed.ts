import { InvalidArgumentError } from "../../core/errors.ts";
import type { Evaluator } from "../evaluate/evaluator.ts";
import type { IncompleteInput, ParsedInput } from "../evaluate/parse.ts";
import { type Meaning, typedCommand } from "./typed_command.ts";
import { type KnownHelpers, readForeign, readOverJavaScript } from "./read_input.ts";

/**
 * Parses what was typed: JavaScript, or else a command of gdb's or the monitor's, or a line that some
 * tool printed.
 *
 * @throws {SyntaxError} if it is none of these
 * @throws {InvalidArgumentError} if it is a command that means nothing here
 */
export function parseTyped(
  source: string,
  evaluator: Evaluator,
  helpers: KnownHelpers,
): ParsedInput | IncompleteInput {
  const other = isOneLine(source) ? readOverJavaScript(source) : undefined;
  if (other !== undefined) return evaluator.parse(other);
  // `help` alone would print what help is; a word that nobody knows may be a command, such as `bt`.
  const word = source.trim();
  const isCommand = word === "help" || /^[a-z]\w*$/.test(word) && !evaluator.knows(word);
  const command = isCommand ? typedCommand(word) : undefined;
  if (command) return meant(command, source, evaluator);
  try {
    return evaluator.parse(source);
  } catch (error) {
    if (!(error instanceof SyntaxError) || !isOneLine(source)) throw error;
    const foreign = readForeign(source, helpers);
    if (!foreign) throw error;
    return meant(foreign, source, evaluator, error);
  }
}

function meant(
  meaning: Meaning,
  line: string,
  evaluator: Evaluator,
  error?: SyntaxError,
): ParsedInput {
  if (meaning.kind === "message") throw new InvalidArgumentError(meaning.text, line);
  return parseInstead(meaning.source, evaluator, error);
}

/** What stands for a line must be JavaScript; else the line's own error is the better one. */
function parseInstead(source: string, evaluator: Evaluator, error?: SyntaxError): ParsedInput {
  try {
    const parsed = evaluator.parse(source);
    if (parsed.kind === "complete") return parsed;
    throw error ?? parsed.error;
  } catch (other) {
    throw other instanceof SyntaxError ? error ?? other : other;
  }
}

function isOneLine(source: string): boolean {
  return !source.trim().includes("\n");
}
