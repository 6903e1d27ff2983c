import type { CommandOptions, Monitor } from "../../src/monitor/monitor.ts";

/** A monitor that answers from a table, and keeps what it was asked. */
export class TextMonitor implements Monitor {
  readonly endpoint = "test:0";
  readonly qemuVersion = "7.2.22";
  readonly asked: string[] = [];
  readonly #replies: (line: string) => string | undefined;

  constructor(replies: Record<string, string> | ((line: string) => string | undefined)) {
    this.#replies = typeof replies === "function" ? replies : (line) => replies[line];
  }

  command(line: string, options: CommandOptions = {}): Promise<string> {
    this.asked.push(line);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const reply = this.#replies(line);
    return reply === undefined
      ? Promise.reject(new Error(`The test has no reply to "${line}"`))
      : Promise.resolve(reply);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
