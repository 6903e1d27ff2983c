import type { Session } from "../session/session.ts";
import { connectBy, type ConnectValues, type DeviceValues } from "./guest_options.ts";

/**
 * Connects to the guest that a script's arguments name. What a user should know of the connection, such as
 * that it pauses the guest, is said on standard error.
 */
export function connectTo(
  monitor: string,
  options: ConnectValues & Partial<DeviceValues>,
): Promise<Session> {
  return connectBy(async () => (await import("../session/connect.ts")).connect, monitor, options);
}
