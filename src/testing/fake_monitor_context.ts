import type { FakeMonitorOptions } from "./fake_monitor_options.ts";
import type { MonitorScript } from "./fake_monitor_script.ts";
import type { MonitorSession, MonitorSource } from "./fake_monitor_source.ts";

/** What a connection needs of the monitor that it belongs to. */
export interface ConnectionContext {
  /** The machine that the monitor is of. */
  source: MonitorSource;
  /** Answers the commands. */
  session: MonitorSession;
  /** Says what goes wrong, and notes what arrives. */
  script: MonitorScript;
  /** How bytes are sent. */
  options: FakeMonitorOptions;
  /** Ends waits when the monitor is closed. */
  signal: AbortSignal;
}
