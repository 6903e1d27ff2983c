import { PagewalkError } from "../../core/errors.ts";
import { MonitorError } from "../errors.ts";

/** A recording that could not be written or that is none: its file, and the line where that shows. */
export class RecordingError extends PagewalkError {
  /** The recording's path. */
  readonly path: string;
  /** The line, from 1, or null if it is not about one. */
  readonly line: number | null;

  /** Creates the error for one file. */
  constructor(message: string, path: string, options: ErrorOptions & { line?: number } = {}) {
    super(message, options);
    this.path = path;
    this.line = options.line ?? null;
  }
}

/** A command whose reply is not in the recording that is replayed. */
export class NotRecordedError extends MonitorError {
  /** The vCPU that it was asked of, or null for the monitor's current one. */
  readonly cpu: number | null;

  /** Creates the error for one command. */
  constructor(command: string, cpu: number | undefined, endpoint: string) {
    const where = cpu === undefined ? "" : ` on vCPU ${cpu}`;
    super(
      `${endpoint} has no reply to "${command}"${where}: run the command on the live guest with ` +
        `--record FILE (in code: the option record of connect), and replay that`,
      { endpoint, command },
    );
    this.cpu = cpu ?? null;
  }
}
