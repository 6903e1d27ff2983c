import { InvalidArgumentError } from "../core/errors.ts";

/**
 * Reads a text from a file, or from standard input for `-` or no file at all.
 *
 * @throws {InvalidArgumentError} if there is no such file, it may not be read, or nothing is piped in
 */
export async function readTextInput(file: string | undefined): Promise<string> {
  if (file === undefined || file === "-") {
    if (Deno.stdin.isTerminal()) {
      throw new InvalidArgumentError("Nothing is piped in: name a file, or pipe a text in", file);
    }
    return await new Response(Deno.stdin.readable).text();
  }
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    throw new InvalidArgumentError(`Cannot read ${file}: ${reasonOf(cause, file)}`, file, {
      cause,
    });
  }
}

function reasonOf(cause: unknown, file: string): string {
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.NotCapable) return `run deno with --allow-read=${file}`;
  return cause instanceof Error ? cause.message : String(cause);
}
