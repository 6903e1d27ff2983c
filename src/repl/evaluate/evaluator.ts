import { analyse, type Analysis } from "./analyse.ts";
import { forget, type HexNames, isHex } from "./hexadecimal.ts";
import { type IncompleteInput, type ParsedInput, parseInput } from "./parse.ts";
import { makeTools, type Observation } from "./runtime/tools.ts";
import { type InterruptWatch, type RunningLine, Turns } from "./runtime/turns.ts";
import { Scope } from "./scope.ts";
import { keepLines } from "./typed_lines.ts";
import { isAsyncIterable, isThenable, untilAborted } from "./until_aborted.ts";
import { toFunction } from "./write/to_function.ts";

/** A line that ran without throwing. */
export interface RunLine {
  readonly analysis: Analysis;
  readonly observations: ReadonlyMap<number, Observation>;
  /** The names that it declared by assigning to them. */
  readonly implicit: readonly string[];
  /** What was printed: nothing, one value, or what an asynchronous iterable yielded. */
  readonly result: "none" | "one" | "many";
}

/** How long a cancelled line may take to end by itself before the prompt goes on without it. */
const CANCEL_GRACE_MS = 250;

/** Runs lines of JavaScript one after the other in one {@linkcode Scope}. */
export class Evaluator {
  /** The variables. */
  readonly scope: Scope;
  /** The lines that ran without throwing, in order. */
  readonly done: RunLine[] = [];
  readonly #turns: Turns;
  readonly #hexNames: HexNames = new Set();
  #isHexadecimal = false;
  #lineNumber = 0;

  /** Starts with these globals, which are looked up when they are used. */
  constructor(globals: object, watch?: InterruptWatch) {
    this.scope = new Scope(globals);
    this.#turns = new Turns(watch);
  }

  /** True if the last result came of numbers that were written in hexadecimal. */
  get isHexadecimal(): boolean {
    return this.#isHexadecimal;
  }

  /**
   * Parses a line, or says that it goes on in the next.
   *
   * @throws {SyntaxError} if it cannot be made right
   */
  parse(source: string): ParsedInput | IncompleteInput {
    return parseInput(source);
  }

  /**
   * Runs a line and returns its value, awaited; undefined if its last statement has none. `_` and
   * `_err` are set.
   *
   * @param signal cancels the line: awaiting ends with the signal's reason
   * @throws whatever the line throws
   */
  async run(parsed: ParsedInput, signal: AbortSignal): Promise<unknown> {
    try {
      const analysis = analyse(parsed, this.#hexNames);
      const observations = new Map<number, Observation>();
      const implicit = analysis.assigned.filter((name) =>
        // `x = 1` declares x where no line did, rather than to leak it into JavaScript's globals.
        !this.scope.hasVariable(name) && !(name in globalThis)
      );
      this.scope.announce(analysis.declared);
      this.scope.announce(implicit.map((name) => ({ name, kind: "let" })));
      const value = await this.#execute(analysis, observations, signal);
      this.done.push({ analysis, observations, implicit, result: resultKind(value) });
      this.#keepHexNames(analysis);
      if (value !== undefined) this.scope.define("_", value);
      return value;
    } catch (error) {
      this.scope.define("_err", error);
      throw error;
    } finally {
      this.scope.settle();
    }
  }

  async #execute(
    analysis: Analysis,
    observations: Map<number, Observation>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const number = ++this.#lineNumber;
    const { text, lines } = toFunction(analysis, `repl:${number}`);
    keepLines(number, lines);
    const line: RunningLine = { signal, isRunning: true };
    const { waiting, immediate } = makeTools({
      line,
      turns: this.#turns,
      observe: (site, seen) => observations.set(site, seen),
      define: (name, value) => this.scope.define(name, value),
      forget: (name) => this.scope.delete(name),
    });
    // An indirect eval: global code, not strict, so that `with` can lend it the scope.
    const run = (0, eval)(text) as (...given: object[]) => Promise<unknown>;
    this.#turns.begin(line);
    try {
      return await endedBy(signal, settleAll(run(this.scope.object, waiting, immediate)));
    } finally {
      line.isRunning = false;
    }
  }

  #keepHexNames({ declared, assigned, hexNames, result }: Analysis): void {
    this.#isHexadecimal = result !== undefined && isHex(result.expression, hexNames);
    for (const name of [...declared.map((each) => each.name), ...assigned]) {
      forget(name, this.#hexNames);
      for (const kind of [name, `${name}()`]) if (hexNames.has(kind)) this.#hexNames.add(kind);
    }
  }

  /** Says whether a name means anything. */
  knows(name: string): boolean {
    return this.scope.has(name) || name in globalThis;
  }
}

function resultKind(value: unknown): RunLine["result"] {
  if (value === undefined) return "none";
  return isAsyncIterable(value) ? "many" : "one";
}

/** Waits for a line, and for each of the promises that it returns in an array. */
async function settleAll(line: Promise<unknown>): Promise<unknown> {
  const value = await line;
  return Array.isArray(value) && value.some(isThenable) ? await Promise.all(value) : value;
}

/**
 * Waits for a line, or, once it is cancelled, a moment longer: its own awaits end at once then. What
 * other code awaits cannot be ended from here, and is left behind.
 */
async function endedBy(signal: AbortSignal, line: Promise<unknown>): Promise<unknown> {
  // What an abandoned line throws later concerns nobody any more.
  line.catch(() => {});
  const grace = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => timer = setTimeout(() => grace.abort(signal.reason), CANCEL_GRACE_MS);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await untilAborted(grace.signal, line);
  } finally {
    signal.removeEventListener("abort", cancel);
    clearTimeout(timer);
  }
}
