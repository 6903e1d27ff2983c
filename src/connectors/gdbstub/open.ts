import { onlyOf } from "../../core/options.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { GuestSource } from "../connector.ts";
import { formatGdb, type GdbEndpoint } from "./endpoint.ts";
import { connectGdb, GDB_CLIENT_SHAPE, type GdbClientOptions } from "./gdb_client.ts";

/**
 * Opens a gdbstub as the way to a guest: registers and memory by its packets, the monitor by `qRcmd`. The guest is
 * paused until it is closed.
 *
 * @throws {InvalidArgumentError} if the session is to be recorded
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if a debugger holds the stub
 * @throws {WrongPeerError} if the peer is not a gdbstub
 */
export async function openGdbstub(
  endpoint: GdbEndpoint,
  options: GdbClientOptions & { record?: string },
): Promise<GuestSource> {
  if (options.record !== undefined) {
    throw new InvalidArgumentError(
      `Only monitor sessions can be recorded: connect to the -monitor instead of ${
        formatGdb(endpoint)
      }`,
      options.record,
    );
  }
  const client = await connectGdb(endpoint, onlyOf(options, GDB_CLIENT_SHAPE));
  return {
    endpoint: client.endpoint,
    qemuVersion: client.qemuVersion,
    cpus: client,
    memory: client.memory,
    monitor: client,
    notice: client.resumes
      ? "the gdbstub pauses the guest for as long as this is connected; it runs on at the end"
      : 'the guest was paused before, and stays so; "cont" at its monitor resumes it',
    close: () => client.close(),
  };
}
