import { checkOptions, MILLISECONDS, type OptionShape } from "../core/options.ts";
import {
  formatSocket,
  parseInnerSocket,
  type QmpEndpoint,
  type TcpEndpoint,
  type UnixEndpoint,
} from "./endpoint.ts";
import { QMP_CLIENT_SHAPE, QmpClient, type QmpClientOptions } from "./qmp_client.ts";
import { connectSocket } from "./socket_transport.ts";

/** How a QMP server is connected to. */
export interface ConnectQmpOptions extends QmpClientOptions {
  /**
   * Milliseconds until the connection must stand.
   *
   * @default {5000}
   */
  connectTimeoutMs?: number;
}

/** The checks of {@linkcode ConnectQmpOptions}. */
export const CONNECT_QMP_SHAPE: OptionShape<ConnectQmpOptions> = {
  ...QMP_CLIENT_SHAPE,
  connectTimeoutMs: MILLISECONDS,
};

/**
 * Connects to a QMP server (`-qmp tcp:127.0.0.1:4444,server=on,wait=off`).
 *
 * @param endpoint `qmp:4444`, `qmp:HOST:PORT`, `qmp:unix:/path`; `qmp:` may be left out
 * @throws {InvalidArgumentError} if the endpoint is none
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the peer stays silent, most often as another client holds the server
 * @throws {WrongPeerError} if the peer is not a QMP server
 *
 * @example Usage
 * ```ts
 * import { connectQmp } from "@pagewalk/pagewalk";
 * import { fakeMonitor, simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using qemu = fakeMonitor(simulatedGuest(), { protocol: "qmp" });
 * await using monitor = await connectQmp(qemu.endpoint);
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * ```
 */
export async function connectQmp(
  endpoint: QmpEndpoint | TcpEndpoint | UnixEndpoint | string,
  options: ConnectQmpOptions = {},
): Promise<QmpClient> {
  checkOptions(options, "the options of a connection", CONNECT_QMP_SHAPE);
  const { connectTimeoutMs = 5000, ...own } = options;
  const { signal } = own;
  const parsed = typeof endpoint === "string"
    ? parseInnerSocket(endpoint.replace(/^\s*qmp:/, ""), endpoint)
    : endpoint;
  const socket = parsed.scheme === "qmp" ? parsed.socket : parsed;
  const transport = await connectSocket(socket, {
    timeoutMs: connectTimeoutMs,
    name: `qmp:${formatSocket(socket)}`,
    qemuOption: "qmp",
    ...signal && { signal },
  });
  return await QmpClient.open(transport, own);
}
