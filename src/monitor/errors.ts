import { PagewalkError } from "../core/errors.ts";

/** What every monitor error knows of its circumstances. */
export interface MonitorErrorOptions extends ErrorOptions {
  /** What the monitor is connected to, as a user would type it. */
  endpoint: string;
  /** The command that failed, or null where the connection did. */
  command?: string | null;
}

/** The base of the errors that a monitor's connection and its commands throw. */
export class MonitorError extends PagewalkError {
  /** What the monitor is connected to, as a user would type it. */
  readonly endpoint: string;
  /** The command that failed, or null where the connection did. */
  readonly command: string | null;

  /** Creates the error. */
  constructor(message: string, options: MonitorErrorOptions) {
    super(message, options);
    this.endpoint = options.endpoint;
    this.command = options.command ?? null;
  }
}

/** Why no connection came about. */
export type ConnectFailure =
  | "refused"
  | "timedOut"
  | "hostNotFound"
  | "noSuchSocket"
  | "noSuchFile"
  | "noSuchDomain"
  | "noProgram"
  | "notAllowed"
  | "permission"
  | "failed";

/** No connection came about: nothing listens, the host is unknown, a permission is missing. */
export class ConnectError extends MonitorError {
  /** Why no connection came about. */
  readonly failure: ConnectFailure;

  /** Creates the error. */
  constructor(failure: ConnectFailure, message: string, options: MonitorErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** The peer accepted the connection and stayed silent: most often another client holds the monitor. */
export class NoBannerError extends MonitorError {
  /** How long the banner was waited for, in milliseconds. */
  readonly timeoutMs: number;

  /** Creates the error. */
  constructor(message: string, timeoutMs: number, options: MonitorErrorOptions) {
    super(message, options);
    this.timeoutMs = timeoutMs;
  }
}

/** What answered is not a human monitor. */
export class WrongPeerError extends MonitorError {
  /** What it is by its first bytes: `QMP`, `gdbstub`, `HTTP`, …, or `unknown`. */
  readonly peer: string;

  /** Creates the error. */
  constructor(peer: string, message: string, options: MonitorErrorOptions) {
    super(message, options);
    this.peer = peer;
  }
}

/** A reply was not complete in time. Later commands still get their own replies. */
export class ReplyTimeoutError extends MonitorError {
  /** How long the reply was waited for, in milliseconds. */
  readonly timeoutMs: number;

  /** Creates the error. */
  constructor(message: string, timeoutMs: number, options: MonitorErrorOptions) {
    super(message, options);
    this.timeoutMs = timeoutMs;
  }
}

/** The connection ended: QEMU quit, it was closed, or what arrived was no monitor's answer. */
export class ConnectionLostError extends MonitorError {}

/** A reply grew past the limit. Later commands still get their own replies. */
export class ReplyTooLargeError extends MonitorError {
  /** The limit, in bytes. */
  readonly limitBytes: number;

  /** Creates the error. */
  constructor(message: string, limitBytes: number, options: MonitorErrorOptions) {
    super(message, options);
    this.limitBytes = limitBytes;
  }
}

/** A command that is not on the read-only list. Nothing was sent. */
export class CommandRefusedError extends MonitorError {
  /** The name to put into `allowUnsafe` for the command to be sent. */
  readonly commandName: string;

  /** Creates the error. */
  constructor(commandName: string, message: string, options: MonitorErrorOptions) {
    super(message, options);
    this.commandName = commandName;
  }
}

/** A command that this QEMU does not know. */
export class UnknownCommandError extends MonitorError {
  /** QEMU's version, or empty if it announced none. */
  readonly qemuVersion: string;

  /** Creates the error. */
  constructor(qemuVersion: string, message: string, options: MonitorErrorOptions) {
    super(message, options);
    this.qemuVersion = qemuVersion;
  }
}

/** QMP answered a command with an error. */
export class QmpError extends MonitorError {
  /** QMP's class of the error: `GenericError`, `CommandNotFound`, `DeviceNotActive`, … */
  readonly qmpClass: string;
  /** QEMU's own words. */
  readonly description: string;

  /** Creates the error. */
  constructor(
    qmpClass: string,
    description: string,
    message: string,
    options: MonitorErrorOptions,
  ) {
    super(message, options);
    this.qmpClass = qmpClass;
    this.description = description;
  }
}

/** A vCPU that the guest does not have, or that is offline. */
export class NoSuchCpuError extends MonitorError {
  /** The number that was asked for. */
  readonly cpu: number;

  /** Creates the error. */
  constructor(cpu: number, message: string, options: MonitorErrorOptions) {
    super(message, options);
    this.cpu = cpu;
  }
}

/** A reply that a parser does not understand. The parsers know nothing of connections. */
export class ReplyParseError extends PagewalkError {
  /** The command whose reply it is. */
  readonly command: string;
  /** The line that was not understood, or the start of the reply. */
  readonly text: string;

  /** Creates the error for one command's reply. */
  constructor(command: string, text: string, expected: string, options?: ErrorOptions) {
    const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
    super(
      `Cannot read QEMU's reply to "${command}": expected ${expected}, found ${
        JSON.stringify(shown)
      }`,
      options,
    );
    this.command = command;
    this.text = text;
  }
}

/** The guest is of another architecture: its registers are not those of an x86. */
export class NotX86Error extends PagewalkError {
  /** What it is, as far as its registers tell, such as `RISC-V`; null if they do not. */
  readonly architecture: string | null;

  /** Creates the error for one guest. */
  constructor(architecture: string | null) {
    const shown = architecture === null ? "" : ` but ${architecture}`;
    super(
      `This is not an x86 guest${shown}: pagewalk reads the page tables of x86 and RISC-V guests ` +
        "only",
    );
    this.architecture = architecture;
  }
}
