import { type MonitorError, type MonitorErrorOptions, UnknownCommandError } from "./errors.ts";

/** Whose reply it is. */
export interface ReplyOrigin extends MonitorErrorOptions {
  /** The command that was sent. */
  command: string;
  /** QEMU's version, or empty if it announced none. */
  qemuVersion: string;
}

/**
 * Returns the error that a reply's text stands for, or null. QEMU answers an unknown command with
 * ordinary text, over HMP and QMP alike: `unknown command: 'foo'` (5.2 to 11.1). Below `info` it quotes
 * the line, with the blank that may stand before it.
 */
export function errorFromReply(reply: string, origin: ReplyOrigin): MonitorError | null {
  const name = /^unknown command: ' *([^'\n]*)'$/.exec(reply.trimEnd())?.[1];
  if (name === undefined) return null;
  const qemu = origin.qemuVersion === "" ? "This QEMU" : `QEMU ${origin.qemuVersion}`;
  return new UnknownCommandError(
    origin.qemuVersion,
    `${qemu} at ${origin.endpoint} has no monitor command "${name}": "help" lists those it has`,
    origin,
  );
}
