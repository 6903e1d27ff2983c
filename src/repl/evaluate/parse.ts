import { type Node, Parser, type Program, type Token } from "acorn";
import { screenNumbers } from "./screen_numbers.ts";

/** A complete piece of JavaScript, parsed. */
export interface ParsedInput {
  readonly kind: "complete";
  /** The text that the positions of the tree refer to. */
  readonly source: string;
  /** The syntax tree. Parentheses are nodes of their own. */
  readonly program: Program;
  /** The tokens in order, to find the operator between two operands. */
  readonly tokens: readonly Token[];
}

/** Text that is the beginning of something: the prompt asks for its next line. */
export interface IncompleteInput {
  readonly kind: "incomplete";
  /** What is wrong with it if nothing follows. */
  readonly error: SyntaxError;
}

/** What acorn adds to the SyntaxError it throws. */
interface AcornError extends SyntaxError {
  /** Where the offending token starts. */
  readonly pos: number;
}

const PARSER = Parser.extend(screenNumbers);

/** What acorn says of a text that ends inside a token that may hold line ends. */
const ENDS_INSIDE = [
  "Unterminated template",
  "Unterminated comment",
  // Its `catch` may stand in the next line.
  "Missing catch or finally clause",
];

/**
 * Parses what was typed: a script with `await` and `import` allowed at its top. Text that starts with
 * `{` is an object if it can be one, as at every JavaScript prompt.
 *
 * @throws {SyntaxError} if no further line could make it right
 */
export function parseInput(source: string): ParsedInput | IncompleteInput {
  if (/^\s*\{/.test(source) && !/;\s*$/.test(source)) {
    try {
      const parenthesised = parseProgram(`(${source}\n)`);
      if (isOneExpression(parenthesised)) return parenthesised;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      // No object after all: a block, or a syntax error that is better told without the parentheses.
    }
  }
  try {
    return parseProgram(source);
  } catch (error) {
    if (!isAcornError(error)) throw error;
    if (endsTooEarly(error, source)) return { kind: "incomplete", error };
    return parseModule(source) ?? raise(error);
  }
}

/** Only modules have `using` at their top; what is wrong otherwise is better told of the script. */
function parseModule(source: string): ParsedInput | undefined {
  try {
    return parseProgram(source, "module");
  } catch (error) {
    if (!isAcornError(error)) throw error;
    return undefined;
  }
}

function raise(error: Error): never {
  throw error;
}

function parseProgram(source: string, sourceType: "script" | "module" = "script"): ParsedInput {
  const tokens: Token[] = [];
  const program = PARSER.parse(source, {
    ecmaVersion: "latest",
    sourceType,
    allowAwaitOutsideFunction: true,
    allowImportExportEverywhere: true,
    preserveParens: true,
    onToken: tokens,
  });
  return { kind: "complete", source, program, tokens };
}

function isOneExpression({ program }: ParsedInput): boolean {
  const [only, more] = program.body as Node[];
  return more === undefined && only?.type === "ExpressionStatement";
}

function isAcornError(error: unknown): error is AcornError {
  return error instanceof SyntaxError && typeof (error as AcornError).pos === "number";
}

function endsTooEarly(error: AcornError, source: string): boolean {
  if (ENDS_INSIDE.some((message) => error.message.startsWith(message))) return true;
  // The token that acorn did not expect is the end of the text.
  return error.pos >= source.length;
}
