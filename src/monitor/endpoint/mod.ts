/** Where a monitor listens: what a user types for it, and what opening it takes. */
export type * from "./endpoint.ts";
export { monitorPortFor } from "./monitor_port.ts";
export {
  formatSocket,
  parseInnerSocket,
  type ParseRest,
  parseSocket,
  refuseTerminal,
  SOCKET_SCHEMES,
  socketPermissions,
} from "./sockets.ts";
