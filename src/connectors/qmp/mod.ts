import { onlyOf } from "../../core/options.ts";
import { CONNECT_HMP_SHAPE, connectMonitor } from "../../monitor/connect_monitor.ts";
import {
  formatSocket,
  parseInnerSocket,
  type QmpEndpoint,
  socketPermissions,
} from "../../monitor/endpoint.ts";
import { type Connector, openMonitorSource } from "../connector.ts";

/** The machine's language of the same monitor (`-qmp …`). */
export const QMP: Connector<QmpEndpoint> = {
  name: "QMP",
  usage: "qmp:…",
  schemes: {
    qmp: (rest, text) => ({ scheme: "qmp", socket: parseInnerSocket(rest, text) }),
  },
  describe: ({ socket }) => `qmp:${formatSocket(socket)}`,
  permissions: ({ socket }) => socketPermissions(socket),
  open(endpoint, options) {
    return openMonitorSource(
      "qmp",
      () => connectMonitor(endpoint, onlyOf(options, CONNECT_HMP_SHAPE)),
      options,
    );
  },
};
