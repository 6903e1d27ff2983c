import { howToRead } from "../core/file_permission.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { FileRefusedError, readRegularFile } from "../core/regular_file.ts";

/** More than any log, list or snapshot has. */
export const MAX_INPUT_BYTES = 2 ** 28;

/**
 * Reads a file that a script's arguments name.
 *
 * @throws {InvalidArgumentError} if there is no such file, or it may not be read
 */
export async function readFileInput(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readRegularFile(file, MAX_INPUT_BYTES);
  } catch (cause) {
    throw new InvalidArgumentError(`Cannot read ${file}: ${reasonOf(cause, file)}`, file, {
      cause,
    });
  }
}

function reasonOf(cause: unknown, file: string): string {
  if (cause instanceof FileRefusedError) return cause.message;
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.NotCapable) return howToRead(file, cause);
  return cause instanceof Error ? cause.message : String(cause);
}
