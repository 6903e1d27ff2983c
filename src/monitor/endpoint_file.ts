import { FileRefusedError, openRegularFile } from "../core/regular_file.ts";
import { howToRead } from "../core/file_permission.ts";
import { type Endpoint, formatEndpoint, permissionFor } from "./endpoint/mod.ts";
import { ConnectError, type ConnectFailure } from "./errors.ts";

/**
 * Opens the file that an endpoint stands for (`replay:…`, `dump:…`), for reading. It asks for no
 * permission: a missing one is an error that names the flag.
 *
 * @throws {ConnectError} if it is not there, is no file, or may not be read
 */
export async function openEndpointFile(
  endpoint: Extract<Endpoint, { path: string }>,
): Promise<Deno.FsFile> {
  const { path } = endpoint;
  const permission = await Deno.permissions.query({ name: "read", path });
  if (permission.state !== "granted") throw failed("permission", endpoint);
  try {
    return await openRegularFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw failed("noSuchFile", endpoint, error);
    if (error instanceof Deno.errors.NotCapable) throw failed("permission", endpoint, error);
    throw failed("failed", endpoint, error);
  }
}

function failed(
  failure: ConnectFailure,
  endpoint: Extract<Endpoint, { path: string }>,
  cause?: Error | unknown,
): ConnectError {
  const name = formatEndpoint(endpoint);
  const { path } = endpoint;
  const advice = cause === undefined
    ? `run deno with ${permissionFor(endpoint)}`
    : howToRead(path, cause);
  const detail = cause instanceof Error ? cause.message : String(cause);
  const message = failure === "permission"
    ? `No permission to read ${path}: ${advice}`
    : failure === "noSuchFile"
    ? `There is no file ${endpoint.path}: check the path`
    : cause instanceof FileRefusedError
    ? detail
    : `Could not read ${endpoint.path}: ${detail}`;
  return new ConnectError(failure, message, { endpoint: name, cause });
}
