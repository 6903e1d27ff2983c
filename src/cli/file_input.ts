import { howToRead } from "../core/file_permission.ts";
import { InvalidArgumentError } from "../core/errors.ts";

/**
 * Reads a file that a script's arguments name.
 *
 * @throws {InvalidArgumentError} if there is no such file, or it may not be read
 */
export async function readFileInput(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(file);
  } catch (cause) {
    throw new InvalidArgumentError(`Cannot read ${file}: ${reasonOf(cause, file)}`, file, {
      cause,
    });
  }
}

function reasonOf(cause: unknown, file: string): string {
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.NotCapable) return howToRead(file, cause);
  return cause instanceof Error ? cause.message : String(cause);
}
