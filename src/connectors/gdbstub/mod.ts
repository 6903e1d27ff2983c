import { socketPermissions } from "../../monitor/endpoint.ts";
import type { Connector } from "../connector.ts";
import { formatGdb, type GdbEndpoint, parseGdb } from "./endpoint.ts";

/** QEMU's gdbstub (`-gdb …`, `-s`), which pauses the guest while one is connected. */
export const GDBSTUB: Connector<GdbEndpoint> = {
  name: "gdbstub",
  usage: "gdb:…",
  schemes: { gdb: parseGdb },
  describe: formatGdb,
  permissions: ({ socket }) => socketPermissions(socket),
  async open(endpoint, options) {
    return await (await import("./open.ts")).openGdbstub(endpoint, options);
  },
};
