import { InvalidArgumentError } from "../core/errors.ts";
import { MAX_INPUT_BYTES, readFileInput } from "./file_input.ts";

/**
 * Reads a text from a file, or from standard input for `-` or no file at all.
 *
 * @throws {InvalidArgumentError} if there is no such file, it may not be read, or nothing is piped in
 */
export async function readTextInput(file: string | undefined): Promise<string> {
  if (file !== undefined && file !== "-") {
    return new TextDecoder().decode(await readFileInput(file));
  }
  if (Deno.stdin.isTerminal()) {
    throw new InvalidArgumentError("No input: name a file, or pipe a log in", file);
  }
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const chunk of Deno.stdin.readable) {
    length += chunk.length;
    if (length > MAX_INPUT_BYTES) {
      const message = `More than ${MAX_INPUT_BYTES} bytes are piped in: pipe the lines that matter`;
      throw new InvalidArgumentError(message, file);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * Reads a list from a file or from standard input: one item a line, without empty lines and without
 * what follows a `#`.
 *
 * @throws {InvalidArgumentError} as {@linkcode readTextInput}
 */
export async function readListInput(file: string | undefined): Promise<string[]> {
  const lines = (await readTextInput(file)).split("\n").map((line) =>
    line.replace(/#.*/, "").trim()
  );
  return lines.filter((line) => line !== "");
}
