import type { GuestSession } from "../session/guest_session.ts";
import { connectBy, type ConnectValues } from "./guest_options.ts";

/**
 * Connects to the guest that a script's arguments name, for checks of single addresses. What a user should
 * know of the connection, such as that it pauses the guest, is said on standard error.
 */
export function connectTo(monitor: string, options: ConnectValues): Promise<GuestSession> {
  const load = async () => (await import("../session/connect_parts.ts")).connectForCheck;
  return connectBy(load, monitor, options);
}
