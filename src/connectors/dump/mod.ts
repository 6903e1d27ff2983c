import { parsePath } from "../../monitor/endpoint.ts";
import type { Connector } from "../connector.ts";

/** A dump of a guest's memory, instead of a guest. */
export interface DumpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "dump";
  /** The dump's path. */
  path: string;
}

/** A dump of a guest's memory, in place of a guest. */
export const DUMP: Connector<DumpEndpoint> = {
  name: "dump",
  usage: "dump:FILE",
  schemes: {
    dump: (rest, text) => ({ scheme: "dump", path: parsePath(rest, text, "a file's path") }),
  },
  describe: ({ path }) => `dump:${path}`,
  permissions: ({ path }) => [{ name: "read", path }],
  async open({ path }, options) {
    return await (await import("./open.ts")).openDumpSource(path, options);
  },
};
