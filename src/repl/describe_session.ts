import type { Session } from "../session/session.ts";

/** Says in a few words what a session is connected to. */
export function describeSession({ qemuVersion, endpoint }: Session): string {
  return qemuVersion === "" ? endpoint : `QEMU ${qemuVersion} at ${endpoint}`;
}
