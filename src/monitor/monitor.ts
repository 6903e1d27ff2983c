import {
  checkOptions,
  LIST,
  MILLISECONDS,
  type OptionShape,
  SIGNAL,
  wholeNumberFrom,
} from "../core/options.ts";

/** How one monitor command may be bounded. */
export interface CommandOptions {
  /** Ends the command with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Milliseconds until the reply must be complete.
   *
   * @default {30_000}
   */
  timeoutMs?: number;
  /** The vCPU on whose behalf the command runs, for the commands that depend on one. */
  cpu?: number;
  /**
   * Names of commands that this call may send although they are not on the read-only list.
   *
   * @default {[]}
   */
  allowUnsafe?: readonly string[];
}

/** The checks of {@linkcode CommandOptions}. */
const COMMAND_SHAPE: OptionShape<CommandOptions> = {
  signal: SIGNAL,
  timeoutMs: MILLISECONDS,
  cpu: wholeNumberFrom(0),
  allowUnsafe: LIST,
};

const INSTEAD = { timeout: "timeoutMs", commandTimeoutMs: "timeoutMs" };

/** Checks the options of one command. @throws {InvalidArgumentError} if one is unknown, or none */
export function checkCommandOptions(options: CommandOptions): void {
  checkOptions(options, "the options of a command", COMMAND_SHAPE, INSTEAD);
}

/**
 * A QEMU monitor that runs read-only commands and returns their text. Every connector that has
 * a monitor implements it, so the typed commands (`readRegisters`, `readMemoryMap`, …) work over all.
 */
export interface Monitor extends AsyncDisposable {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  /** QEMU's version as it announced it, such as `7.2.22`; empty if it announced none. */
  readonly qemuVersion: string;
  /**
   * Runs one command and returns its text: no echo, no prompt, lines ended by `\n`, without a last
   * line end. Callers may overlap; commands run in the order of the calls.
   *
   * @throws {CommandRefusedError} if the command is not on the read-only list
   * @throws {MonitorError} if the connection fails, closes, or the reply is late or too large
   */
  command(line: string, options?: CommandOptions): Promise<string>;
  /** Ends the connection. May be called twice. */
  close(): Promise<void>;
}
