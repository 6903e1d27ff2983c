import { given } from "../../core/options.ts";
import {
  ConnectionLostError,
  MonitorError,
  type MonitorErrorOptions,
  NoSuchCpuError,
  ReplyTimeoutError,
  ReplyTooLargeError,
  UnknownCommandError,
} from "../errors.ts";

/** A monitor's error as a recording keeps it. The endpoint is left out of the message. */
export interface RecordedError {
  /** The error's class. */
  name: string;
  /** Its message, with {@linkcode ENDPOINT} where the endpoint stood. */
  message: string;
  /** What the class keeps besides: a limit in bytes, a time in milliseconds, a vCPU. */
  value?: number;
}

/** What stands in a recorded message for the endpoint, which may be a path of the host. */
const ENDPOINT = "{endpoint}";

/** Turns an error into what is written. */
export function recordError(error: MonitorError): RecordedError {
  const value = valueOf(error);
  return {
    name: error.name,
    message: error.endpoint === ""
      ? error.message
      : error.message.replaceAll(error.endpoint, ENDPOINT),
    ...given({ value }),
  };
}

function valueOf(error: MonitorError): number | undefined {
  if (error instanceof ReplyTimeoutError) return error.timeoutMs;
  if (error instanceof ReplyTooLargeError) return error.limitBytes;
  if (error instanceof NoSuchCpuError) return error.cpu;
  return undefined;
}

type Reviver = (
  message: string,
  value: number,
  options: MonitorErrorOptions,
  qemuVersion: string,
) => MonitorError;

const REVIVERS: Readonly<Record<string, Reviver>> = {
  ReplyTimeoutError: (message, value, options) => new ReplyTimeoutError(message, value, options),
  ReplyTooLargeError: (message, value, options) => new ReplyTooLargeError(message, value, options),
  NoSuchCpuError: (message, value, options) => new NoSuchCpuError(value, message, options),
  ConnectionLostError: (message, _, options) => new ConnectionLostError(message, options),
  UnknownCommandError: (message, _, options, qemuVersion) =>
    new UnknownCommandError(qemuVersion, message, options),
};

/** Makes the error again; one of a class that is not known here becomes a {@linkcode MonitorError}. */
export function reviveError(
  recorded: RecordedError,
  options: MonitorErrorOptions & { qemuVersion: string },
): MonitorError {
  const { qemuVersion, ...rest } = options;
  const message = recorded.message.replaceAll(ENDPOINT, options.endpoint);
  const revive = Object.hasOwn(REVIVERS, recorded.name) ? REVIVERS[recorded.name] : undefined;
  return revive?.(message, recorded.value ?? 0, rest, qemuVersion) ??
    new MonitorError(message, rest);
}
