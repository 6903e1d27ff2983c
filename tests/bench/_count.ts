/** Counts what a session costs its guest. */
import type { PhysicalMemory, Session } from "../../mod.ts";

/** What was asked of a guest. */
export interface Counted {
  /** Commands of its monitor. */
  commands: number;
  /** Reads of its memory; over a monitor each is a command or more. */
  reads: number;
  /** The bytes that those asked for. */
  readBytes: number;
  /** The bytes of the monitor's replies. */
  replyBytes: number;
}

/** Counts from now on: what connecting took is not in it. A dump has no monitor to count. */
export function count(session: Session, hasMonitor: boolean): Counted {
  const counted = { commands: 0, reads: 0, readBytes: 0, replyBytes: 0 };
  const memory = session.memory as { read: PhysicalMemory["read"] };
  const { read } = memory;
  memory.read = (address, lengthBytes, options) => {
    counted.reads++;
    counted.readBytes += lengthBytes;
    return read.call(memory, address, lengthBytes, options);
  };
  if (!hasMonitor) return counted;
  const { monitor } = session;
  const { command } = monitor;
  monitor.command = async (line, options) => {
    const reply = await command.call(monitor, line, options);
    counted.commands++;
    counted.replyBytes += reply.length;
    return reply;
  };
  return counted;
}
