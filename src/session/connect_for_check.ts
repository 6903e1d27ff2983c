import type { Endpoint } from "../monitor/endpoint/mod.ts";
import { connectedParts, type ConnectOptions } from "./connect_parts.ts";
import { GuestSession } from "./guest_session.ts";

/**
 * Connects as `connect()` does, for checks of single addresses: what looks at ranges and whole address
 * spaces is not loaded.
 *
 * @throws whatever `connect()` throws
 */
export async function connectForCheck<E extends Endpoint>(
  endpoint: E | string | number,
  options: ConnectOptions = {},
): Promise<GuestSession> {
  return new GuestSession(await connectedParts(endpoint, options));
}
