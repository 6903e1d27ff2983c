import { commandIn, runCommandLine } from "./commands.ts";
import { commandContext } from "./load.ts";
import type { Repl } from "./repl.ts";
import { writeError, writeOut } from "./terminal/write.ts";

/** What a run without a terminal returns to its caller, for the process to exit with. */
const EXIT = { DONE: 0, THREW: 1 } as const;

/**
 * Runs lines in order and prints their results, nothing else. The first that throws ends the run, as
 * later lines may build on it: its error goes to standard error, with the line's number.
 */
export async function runBatch(repl: Repl, lines: AsyncIterable<string>): Promise<number> {
  const { signal } = new AbortController();
  const state = { left: false };
  const commands = commandContext(repl, { signal: () => signal, leave: () => state.left = true });
  const isVariable = (name: string) => repl.evaluator.knows(name);
  let input = "";
  let number = 0;
  try {
    for await (const line of lines) {
      number++;
      const command = input === "" ? commandIn(line, isVariable) : undefined;
      if (command !== undefined) {
        const text = await runCommandLine(command, commands);
        if (text !== "") writeOut(`${text}\n`);
      } else {
        input = input === "" ? line : `${input}\n${line}`;
        const parsed = repl.parse(input);
        if (parsed.kind === "incomplete") continue;
        input = "";
        await repl.run(parsed, signal);
      }
      if (state.left) return EXIT.DONE;
    }
    const rest = repl.parse(input);
    if (rest.kind === "incomplete") throw rest.error;
    return EXIT.DONE;
  } catch (error) {
    // Whoever reads the results has had enough: `… | head`.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.DONE;
    writeError(`line ${number}: ${repl.describeError(error)}\n`);
    return EXIT.THREW;
  }
}

/** The lines of standard input as they arrive. */
export async function* stdinLines(): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of Deno.stdin.readable) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** One text as a single input. */
export async function* oneInput(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}
