import { LIST, onlyOf } from "../../core/options.ts";
import { parsePath } from "../../monitor/endpoint.ts";
import type { ReplayOptions } from "../../monitor/recording/replay_monitor.ts";
import { type Connector, openMonitorSource } from "../connector.ts";

/** A recording of a monitor's answers, instead of a guest. */
export interface ReplayEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "replay";
  /** The recording's path. */
  path: string;
}

/** A recording of a monitor's answers, in place of a guest. */
export const REPLAY: Connector<ReplayEndpoint> = {
  name: "recording",
  usage: "replay:FILE",
  schemes: {
    replay: (rest, text) => ({ scheme: "replay", path: parsePath(rest, text, "a file's path") }),
  },
  describe: ({ path }) => `replay:${path}`,
  permissions: ({ path }) => [{ name: "read", path }],
  async open({ path }, options) {
    const { openReplay } = await import("../../monitor/recording/replay_monitor.ts");
    return await openMonitorSource(
      "replay",
      () => openReplay(path, onlyOf<ReplayOptions>(options, { allowUnsafe: LIST })),
      // Whether the guest was paused when it was recorded is not news, and "cont" would not resume it.
      options.record === undefined ? {} : { record: options.record },
    );
  },
};
