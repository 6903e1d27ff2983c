import { analyse, type Analysis } from "./analyse.ts";
import { importFor } from "./import_for.ts";
import { calculate, type ConvertedSide } from "./mixed_arithmetic.ts";
import { type IncompleteInput, type ParsedInput, parseInput } from "./parse.ts";
import { toFunction } from "./render.ts";
import { Scope } from "./scope.ts";
import { isAsyncIterable, isThenable, untilAborted } from "./until_aborted.ts";

/** What was learned at one place of a line while it ran, which a script that replays it must know. */
export type Observation =
  /** A promise was awaited there. */
  | "promise"
  /** An array of promises was awaited there. */
  | "promises"
  /** A number was turned into a bigint. */
  | ConvertedSide;

/** A line that ran without throwing. */
export interface RunLine {
  readonly analysis: Analysis;
  readonly observations: ReadonlyMap<number, Observation>;
  /** The names that it declared by assigning to them. */
  readonly implicit: readonly string[];
  /** What was printed: nothing, one value, or what an asynchronous iterable yielded. */
  readonly result: "none" | "one" | "many";
}

/** What rewritten code calls. */
interface Runtime {
  calculate(site: number, operator: string, left: unknown, right: unknown): unknown;
  settle(site: number, value: unknown): Promise<unknown>;
  import(specifier: unknown, options?: ImportCallOptions): Promise<unknown>;
}

/** How long a cancelled line may take to end by itself before the prompt goes on without it. */
const CANCEL_GRACE_MS = 250;

/** How long a line may run from promise to promise before the event loop gets a turn: for Ctrl-C. */
const PAUSE_AFTER_MS = 20;

/** Runs lines of JavaScript one after the other in one {@linkcode Scope}. */
export class Evaluator {
  /** The variables. */
  readonly scope: Scope;
  /** The lines that ran without throwing, in order. */
  readonly done: RunLine[] = [];
  #lineNumber = 0;

  /** Starts with these globals, which are looked up when they are used. */
  constructor(globals: object) {
    this.scope = new Scope(globals);
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
      const analysis = analyse(parsed);
      const observations = new Map<number, Observation>();
      const implicit = analysis.assigned.filter((name) => !this.#isKnown(name));
      this.scope.announce(analysis.declared);
      this.scope.announce(implicit.map((name) => ({ name, kind: "let" })));
      const value = await this.#execute(analysis, runtime(observations, signal), signal);
      this.done.push({ analysis, observations, implicit, result: resultKind(value) });
      if (value !== undefined) this.scope.define("_", value);
      return value;
    } catch (error) {
      this.scope.define("_err", error);
      throw error;
    } finally {
      this.scope.settle();
    }
  }

  async #execute(analysis: Analysis, tools: Runtime, signal: AbortSignal): Promise<unknown> {
    const code = toFunction(analysis, `repl:${++this.#lineNumber}`);
    // An indirect eval: global code, not strict, so that `with` can lend it the scope.
    const run = (0, eval)(code) as (tools: Runtime, scope: object) => Promise<unknown>;
    return await endedBy(signal, run(tools, this.scope.object));
  }

  /** `x = 1` declares x where nothing else does, rather than to leak it into JavaScript's globals. */
  #isKnown(name: string): boolean {
    return this.scope.has(name) || name in globalThis;
  }
}

function resultKind(value: unknown): RunLine["result"] {
  if (value === undefined) return "none";
  return isAsyncIterable(value) ? "many" : "one";
}

function runtime(observations: Map<number, Observation>, signal: AbortSignal): Runtime {
  let lastPause = performance.now();
  return {
    calculate: (site, operator, left, right) =>
      calculate(operator, left, right, (side) => observations.set(site, side)),
    settle: async (site, value) => {
      signal.throwIfAborted();
      if (isThenable(value)) observations.set(site, "promise");
      const awaited = isThenable(value) ? await untilAborted(signal, value) : value;
      if (performance.now() - lastPause > PAUSE_AFTER_MS) {
        await new Promise((resolve) => setTimeout(resolve));
        lastPause = performance.now();
      }
      signal.throwIfAborted();
      if (!Array.isArray(awaited) || !awaited.some(isThenable)) return awaited;
      observations.set(site, "promises");
      return await untilAborted(signal, Promise.all(awaited));
    },
    import: importFor,
  };
}

/**
 * Waits for a line, or, once it is cancelled, a moment longer: its own awaits end at once then. What
 * a function of the user's awaits cannot be ended from here, and is left behind.
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
