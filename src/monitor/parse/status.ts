import { ReplyParseError } from "../errors.ts";

/** Whether the guest runs. */
export interface GuestStatus {
  /** True while the vCPUs run. */
  running: boolean;
  /** QEMU's reason for a pause, such as `prelaunch` or `inmigrate`; empty if it gives none. */
  detail: string;
}

/**
 * Reads `info status`: `VM status: running`, `VM status: paused (prelaunch)`. Up to 7.2 at least
 * `(single step mode)` may stand between the two.
 *
 * @throws {ReplyParseError} if it is not of that form
 */
export function parseStatus(reply: string): GuestStatus {
  const text = reply.trim();
  const match = /^VM status: (running|paused)(?: \(single step mode\))?(?: \(([^)]*)\))?$/.exec(
    text,
  );
  if (match === null) throw new ReplyParseError("info status", text, '"VM status: running"');
  return { running: match[1] === "running", detail: match[2] ?? "" };
}
