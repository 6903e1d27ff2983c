import type { Endpoint } from "./endpoint.ts";

/** Returns the socket behind an endpoint whose scheme is a language on one; else the endpoint itself. */
export function socketOf(endpoint: Endpoint): Exclude<Endpoint, { socket: unknown }> {
  return "socket" in endpoint ? endpoint.socket : endpoint;
}
