import type { Endpoint } from "../monitor/endpoint.ts";
import { connectedParts, type ConnectOptions } from "./connect_parts.ts";
import { Session } from "./session.ts";

/**
 * Connects to a guest by any connector. Reads only, and never pauses the guest, except through a
 * gdbstub: that pauses it for as long as the session lasts.
 *
 * @param endpoint a port (`1334`), `host:port`, `tcp:…`, `telnet:…`, `unix:/path` for a monitor, human or
 * QMP; `qmp:…` and `gdb:…` before a port, `host:port` or `unix:/path`; `libvirt:DOMAIN`,
 * `libvirt:///session/DOMAIN`, `libvirt+ssh://host/DOMAIN`; `replay:/path` for a recording, `dump:/path`
 * for a dump, or `sim:` for the simulated guest, which needs no permission
 * @throws {InvalidArgumentError} if the endpoint or an option cannot be used
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if another client holds the monitor
 * @throws {WrongPeerError} if something else than a monitor answers
 * @throws {RamFileError} if a RAM file may not be read, or is not this guest's
 * @throws {DumpFormatError} if the dump is none, compressed, cut short or damaged
 * @throws {RecordingError} if a recording cannot be written, or the file to replay is none
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { verdict } = await guest.verify(0x7f1234567000n, { user: false });
 * assertEquals(verdict, "pass");
 * ```
 */
export async function connect<E extends Endpoint>(
  endpoint: E | string | number,
  options: ConnectOptions = {},
): Promise<Session> {
  return new Session(await connectedParts(endpoint, options));
}
