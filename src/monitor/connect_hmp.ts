import { checkOptions, MILLISECONDS, type OptionShape } from "../core/options.ts";
import { parseSocket, type SocketEndpoint } from "./endpoint/mod.ts";
import { HMP_CLIENT_SHAPE, HmpClient, type HmpClientOptions } from "./hmp_client.ts";
import { connectSocket } from "./socket_transport.ts";

/** How a human monitor is connected to. */
export interface ConnectHmpOptions extends HmpClientOptions {
  /**
   * Milliseconds until the connection must stand.
   *
   * @default {5000}
   */
  connectTimeoutMs?: number;
}

/** The checks of {@linkcode ConnectHmpOptions}. */
export const CONNECT_HMP_SHAPE: OptionShape<ConnectHmpOptions> = {
  ...HMP_CLIENT_SHAPE,
  connectTimeoutMs: MILLISECONDS,
};

/**
 * Connects to a human monitor (`-monitor tcp:127.0.0.1:1334,server=on,wait=off`).
 *
 * @throws {InvalidArgumentError} if the endpoint is none
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the peer stays silent, most often as another client holds the monitor
 * @throws {WrongPeerError} if the peer is not a human monitor
 *
 * @example Usage
 * ```ts
 * import { connectHmp } from "@pagewalk/pagewalk";
 * import { fakeMonitor, simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using qemu = fakeMonitor(simulatedGuest());
 * await using monitor = await connectHmp(qemu.endpoint);
 * assertEquals(await monitor.command("info status"), "VM status: running");
 * ```
 */
export async function connectHmp(
  endpoint: SocketEndpoint | string,
  options: ConnectHmpOptions = {},
): Promise<HmpClient> {
  checkOptions(options, "the options of a connection", CONNECT_HMP_SHAPE);
  const { connectTimeoutMs = 5000, ...own } = options;
  const { signal } = own;
  const transport = await connectSocket(
    typeof endpoint === "string" ? parseSocket(endpoint, endpoint) : endpoint,
    { timeoutMs: connectTimeoutMs, ...(signal ? { signal } : {}) },
  );
  return await HmpClient.open(transport, own);
}
