import { onlyOf } from "../core/options.ts";
import { CONNECT_HMP_SHAPE, connectMonitor } from "../monitor/connect_monitor.ts";
import {
  formatSocket,
  SOCKET_SCHEMES,
  type SocketEndpoint,
  socketPermissions,
} from "../monitor/endpoint.ts";
import { type Connector, openMonitorSource } from "./connector.ts";
import { registerConnector } from "./registry.ts";

/** The human monitor (`-monitor …`) on a socket, by telnet too. A QMP server in its place is noticed. */
export const HMP: Connector<SocketEndpoint> = {
  name: "human monitor",
  usage: "1334, host:1334, telnet:host:1334, unix:/path",
  schemes: SOCKET_SCHEMES,
  describe: formatSocket,
  permissions: socketPermissions,
  open(endpoint, options) {
    const open = () => connectMonitor(endpoint, onlyOf(options, CONNECT_HMP_SHAPE));
    return openMonitorSource(endpoint.scheme, open, options);
  },
};

// What most checks use is known without loading the other connectors.
registerConnector(HMP);
