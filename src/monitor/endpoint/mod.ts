/** Where a monitor is: what a user types for it, and what opening it takes. */
export type * from "./endpoint.ts";
export { formatEndpoint } from "./format.ts";
export { monitorPortFor } from "./monitor_port.ts";
export { parseEndpoint } from "./parse.ts";
export { permissionFor, permissionsFor } from "./permissions.ts";
export { socketOf } from "./socket_of.ts";
