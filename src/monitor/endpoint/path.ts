import { InvalidArgumentError } from "../../core/errors.ts";

/**
 * Reads a path. `text` is the whole argument, for messages.
 *
 * @throws {InvalidArgumentError} if it is none
 */
export function parsePath(path: string, text: string, what = "a socket's path"): string {
  if (path === "" || path.includes("\0")) {
    throw new InvalidArgumentError(`Not ${what}: "${path}" in "${text}"`, text);
  }
  return path;
}
