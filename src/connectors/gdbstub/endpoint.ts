import {
  formatSocket,
  parseInnerSocket,
  type TcpEndpoint,
  type UnixEndpoint,
} from "../../monitor/endpoint.ts";

/** A gdbstub (`-gdb …`, `-s`). Connecting to it pauses the guest. */
export interface GdbEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "gdb";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

/** Reads what follows `gdb:`. */
export function parseGdb(rest: string, text: string): GdbEndpoint {
  return { scheme: "gdb", socket: parseInnerSocket(rest, text) };
}

/** Writes a gdbstub's endpoint the way a user would type it. */
export function formatGdb({ socket }: GdbEndpoint): string {
  return `gdb:${formatSocket(socket)}`;
}
