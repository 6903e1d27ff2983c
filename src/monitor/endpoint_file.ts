import { FileRefusedError, openRegularFile } from "../core/regular_file.ts";
import { howToRead } from "../core/file_permission.ts";
import { permissionFlags } from "../core/permission_flags.ts";
import { ConnectError, type ConnectFailure } from "./errors.ts";

/**
 * Opens the file that an endpoint stands for (`replay:…`, `dump:…`), for reading. It asks for no
 * permission: a missing one is an error that names the flag.
 *
 * @param name the endpoint as a user would type it
 * @throws {ConnectError} if it is not there, is not a file, or may not be read
 */
export async function openEndpointFile(path: string, name: string): Promise<Deno.FsFile> {
  const wanted = { name: "read", path } as const;
  const failed = (failure: ConnectFailure, message: string, cause?: unknown) =>
    new ConnectError(failure, message, { endpoint: name, cause });
  if ((await Deno.permissions.query(wanted)).state !== "granted") {
    const flag = permissionFlags([wanted]);
    throw failed("permission", `No permission to read ${path}: run deno with ${flag}`);
  }
  try {
    return await openRegularFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw failed("noSuchFile", `There is no file ${path}: check the path`, error);
    }
    if (error instanceof Deno.errors.NotCapable) {
      const message = `No permission to read ${path}: ${howToRead(path, error)}`;
      throw failed("permission", message, error);
    }
    const detail = error instanceof Error ? error.message : String(error);
    const isWhole = error instanceof FileRefusedError;
    throw failed("failed", isWhole ? detail : `Could not read ${path}: ${detail}`, error);
  }
}
