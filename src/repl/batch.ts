import { runCommandLine } from "./commands.ts";
import { EntryReader } from "./entry.ts";
import { LineQueue } from "./line_queue.ts";
import { commandContext } from "./load.ts";
import type { Repl } from "./repl.ts";
import { writeError, writeOut } from "./terminal/write.ts";

/** What a run without a terminal returns to its caller, for the process to exit with. */
const EXIT = { DONE: 0, THREW: 1 } as const;

/**
 * Runs lines in order and prints their results, nothing else. The first that throws ends the run, as
 * later lines may build on it: its error goes to standard error, with the line's number.
 */
export async function runBatch(repl: Repl, input: AsyncIterable<string>): Promise<number> {
  const { signal } = new AbortController();
  const state = { left: false };
  const commands = commandContext(repl, { signal: () => signal, leave: () => state.left = true });
  const entries = new EntryReader({
    parse: (source) => repl.parse(source),
    knows: (name) => repl.evaluator.knows(name),
  });
  const lines = new LineQueue(input);
  let number = 0;
  let open: SyntaxError | null = null;
  try {
    for (;;) {
      const line = await lines.next();
      if (line === undefined) break;
      number++;
      const entry = entries.take(line, await lines.peek());
      open = entry.kind === "open" ? entry.error : null;
      if (entry.kind === "command") {
        const text = await runCommandLine(entry.command, commands);
        if (text !== "") writeOut(`${text}\n`);
      } else if (entry.kind === "code") await repl.run(entry.parsed, signal);
      if (state.left) return EXIT.DONE;
    }
    if (open) throw open;
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
