import { escapeText } from "../core/escape.ts";
import type { Session } from "../session/session.ts";

/** Says in a few words what a session is connected to. */
export function describeSession({ qemuVersion, endpoint }: Session): string {
  return escapeText(qemuVersion === "" ? endpoint : `QEMU ${qemuVersion} at ${endpoint}`);
}
