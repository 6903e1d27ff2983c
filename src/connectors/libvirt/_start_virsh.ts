import { connectionUri } from "./_connection_uri.ts";
import { DOMAIN_PERMISSIONS, type DomainEndpoint } from "./endpoint.ts";
import { connectError } from "./_connect_errors.ts";

/**
 * Starts a `virsh` that reads commands from its input. It asks for no permission: a missing one is an
 * error that names the flag.
 *
 * @throws {ConnectError} if there is no virsh, or it may not be run
 */
export async function startVirsh(
  endpoint: DomainEndpoint,
): Promise<Deno.ChildProcess> {
  for (const descriptor of DOMAIN_PERMISSIONS) {
    const { state } = await Deno.permissions.query(descriptor);
    if (state !== "granted") throw connectError("permission", endpoint);
  }
  const uri = connectionUri(endpoint);
  try {
    return new Deno.Command("virsh", {
      args: ["-q", ...uri === null ? [] : ["-c", uri]],
      env: { LC_ALL: "C" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw connectError("noProgram", endpoint, error);
    if (error instanceof Deno.errors.NotCapable) throw connectError("permission", endpoint, error);
    throw connectError("failed", endpoint, error);
  }
}
