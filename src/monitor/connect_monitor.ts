import { checkOptions, MILLISECONDS, onlyOf, type OptionShape } from "../core/options.ts";
import { parseSocket, type QmpEndpoint, type SocketEndpoint } from "./endpoint.ts";
import { HMP_CLIENT_SHAPE, HmpClient, type HmpClientOptions } from "./hmp_client.ts";
import { connectSocket } from "./socket_transport.ts";
import { WrongPeerError } from "./errors.ts";
import type { Monitor } from "./monitor.ts";

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

/**
 * Connects to the monitor on a socket, whichever language it speaks: on `tcp:` and `unix:` the greeting
 * tells a QMP server from a human monitor.
 *
 * @throws {InvalidArgumentError} if the endpoint is none
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the peer stays silent, most often as another client holds the monitor
 * @throws {WrongPeerError} if the peer is not a monitor
 *
 * @example Usage
 * ```ts
 * import { connectMonitor } from "@pagewalk/pagewalk";
 * import { fakeMonitor, simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * for (const protocol of ["hmp", "qmp"] as const) {
 *   await using qemu = fakeMonitor(simulatedGuest(), { protocol });
 *   await using monitor = await connectMonitor(qemu.endpoint);
 *   assertEquals(await monitor.command("info status"), "VM status: running");
 * }
 * ```
 */
export async function connectMonitor(
  endpoint: QmpEndpoint | SocketEndpoint | string,
  options: ConnectHmpOptions = {},
): Promise<Monitor> {
  checkOptions(options, "the options of a connection", CONNECT_HMP_SHAPE);
  if (typeof endpoint === "string" && /^\s*qmp:/.test(endpoint)) {
    return await connectByQmp(endpoint, options);
  }
  const parsed = typeof endpoint === "string" ? parseSocket(endpoint, endpoint) : endpoint;
  if (parsed.scheme === "qmp") return await connectByQmp(parsed, options);
  try {
    return await connectHmp(parsed, options);
  } catch (error) {
    if (!(error instanceof WrongPeerError) || error.peer !== "QMP") throw error;
    // Nothing was sent, and the server takes the next client as soon as this one has left.
    if (parsed.scheme === "telnet") throw error;
    return await connectByQmp(parsed, options);
  }
}

/** Loaded only where QMP is spoken. */
async function connectByQmp(
  endpoint: Parameters<typeof import("./connect_qmp.ts").connectQmp>[0],
  options: ConnectHmpOptions,
): Promise<Monitor> {
  const { CONNECT_QMP_SHAPE, connectQmp } = await import("./connect_qmp.ts");
  return await connectQmp(endpoint, onlyOf(options, CONNECT_QMP_SHAPE));
}
