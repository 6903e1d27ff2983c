import type * as ast from "acorn";
import { type CommandContext, COMMANDS } from "./commands.ts";
import type { ParsedInput } from "./evaluate/parse.ts";
import type { Repl } from "./repl.ts";
import { savedScript } from "./save.ts";

export { EntryReader } from "./entry.ts";

/** The names of the prompt's commands, for completion. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map(({ name }) => name);

/** Makes what commands act on. */
export function commandContext(
  repl: Repl,
  { signal, leave }: { signal: () => AbortSignal; leave: () => void },
): CommandContext {
  return {
    leave,
    runText: (text) => runText(repl, text, signal()),
    async savedScript() {
      const { SDK_ENTRIES } = await import("./sdk.ts");
      const { endpoint } = await repl.guest.session();
      const helpers = repl.context.helpers.map(({ name }) => name);
      return savedScript(repl.evaluator.done, {
        endpoint,
        helpers,
        entries: SDK_ENTRIES,
      });
    },
  };
}

/**
 * Runs the statements of a text one by one, so that each prints its result.
 *
 * @throws whatever a statement throws; those before it have run
 */
async function runText(repl: Repl, text: string, signal: AbortSignal): Promise<void> {
  const parsed = repl.parse(text);
  if (parsed.kind === "incomplete") throw parsed.error;
  for (const source of statementsOf(parsed)) {
    const statement = repl.parse(source);
    if (statement.kind === "incomplete") throw statement.error;
    await repl.run(statement, signal);
  }
}

/**
 * What `.save` writes in front, to connect, is left out: here is a connection already. Where it has the
 * lines replayed, they are what is run.
 */
function statementsOf({ program, source }: ParsedInput): string[] {
  const replayed = program.body.flatMap((statement) => replayedLines(statement) ?? []);
  if (replayed.length > 0) return replayed;
  const connected = program.body.findLastIndex((statement) =>
    statement.type === "VariableDeclaration" &&
    statement.declarations.some(({ init }) => isCallOf(init, "replHelpers"))
  );
  return program.body.slice(connected + 1).map(({ start, end }) => source.slice(start, end));
}

/** The lines of `await replay(session, ["…", "…"])`; undefined if it is another statement. */
function replayedLines(statement: ast.Statement | ast.ModuleDeclaration): string[] | undefined {
  if (statement.type !== "ExpressionStatement") return undefined;
  const { expression } = statement;
  const call = expression.type === "AwaitExpression" ? expression.argument : expression;
  if (!isCallOf(call, "replay")) return undefined;
  const [, lines] = call.arguments;
  if (lines?.type !== "ArrayExpression") return undefined;
  return lines.elements.flatMap((line) =>
    line?.type === "Literal" && typeof line.value === "string" ? [line.value] : []
  );
}

function isCallOf(
  node: ast.AnyNode | null | undefined,
  name: string,
): node is ast.CallExpression {
  return node?.type === "CallExpression" && node.callee.type === "Identifier" &&
    node.callee.name === name;
}
