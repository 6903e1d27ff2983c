import type { MonitorAnswer } from "./hmp_text/session.ts";

/** What answers the commands of one monitor. */
export interface MonitorSession {
  /** Returns what the monitor prints; an error ends the connection. */
  answer(line: string): MonitorAnswer | Promise<MonitorAnswer>;
}

/** A machine that monitors can be opened on. */
export interface MonitorSource {
  /** The version for the banner, such as `7.2.22`. */
  readonly version: string;
  /** Opens a monitor with its own state, whose current vCPU is `cpu`, by default the first. */
  openMonitor(cpu?: number): MonitorSession;
}

/**
 * Answers monitor commands in a test's own words: each line of the result ended by `\n`, or nothing.
 */
export type MonitorHandler = (command: string) => string | Promise<string>;

/** Makes a machine of a handler. `quit` ends it, as it ends QEMU. */
export function sourceOf(source: MonitorSource | MonitorHandler, version: string): MonitorSource {
  if (typeof source !== "function") return source;
  const session: MonitorSession = {
    async answer(line) {
      const text = await source(line);
      return { text, quit: /^(?:q|quit)$/.test(line.trim()) };
    },
  };
  return { version, openMonitor: () => session };
}
