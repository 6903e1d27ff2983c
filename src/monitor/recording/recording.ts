import type { RecordedError } from "./recorded_error.ts";
import { RecordingError } from "./errors.ts";

/** The version of the format: a first line with the header, then one line of JSON an exchange. */
export const RECORDING_VERSION = 1;

/** The first line of a recording. Nothing of the host is in it. */
export interface RecordingHeader {
  /** What kind of file it is. */
  pagewalk: "recording";
  /** The version of the format. */
  version: number;
  /** QEMU's version, such as `7.2.22`. */
  qemuVersion: string;
  /** The kind of endpoint that it was recorded at: `tcp`, `unix`, … */
  endpointKind: string;
}

/** One command and what came of it. */
export interface RecordedExchange {
  /** The command as it was sent. */
  command: string;
  /** The vCPU that it was asked of, if one was named. */
  cpu?: number;
  /** The reply; none if there was an error. */
  reply?: string;
  /** The error; none if there was a reply. */
  error?: RecordedError;
  /** How long it took, in milliseconds. */
  durationMs: number;
}

/** A recording as it was read. */
export interface Recording {
  /** What it says of itself. */
  readonly header: RecordingHeader;
  /** What was asked and answered, in the order in which the answers came. */
  readonly exchanges: readonly RecordedExchange[];
}

/**
 * Reads the text of a recording. A last line without its end is what a killed script leaves: it is
 * left out.
 *
 * @throws {RecordingError} if the text is not a recording, or of a later version
 *
 * @example Usage
 * ```ts
 * import { parseRecording } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const { exchanges } = parseRecording(
 *   '{"pagewalk":"recording","version":1,"qemuVersion":"7.2.22","endpointKind":"tcp"}\n' +
 *     '{"command":"info status","reply":"VM status: running","durationMs":0.2}\n',
 * );
 * assertEquals(exchanges[0]?.command, "info status");
 * ```
 */
export function parseRecording(text: string, path = "the text"): Recording {
  const lines = text.split("\n").slice(0, -1);
  const header = parseLine(lines[0] ?? "", path, 1);
  if (!isHeader(header)) {
    throw new RecordingError(
      `${path} is not a recording: --record FILE makes one`,
      path,
      {
        line: 1,
      },
    );
  }
  if (header.version !== RECORDING_VERSION) {
    throw new RecordingError(
      `${path} is a recording of version ${header.version}, and this pagewalk reads version ` +
        `${RECORDING_VERSION}: use the pagewalk that recorded it`,
      path,
      { line: 1 },
    );
  }
  const exchanges = lines.slice(1).map((line, i) => {
    const exchange = parseLine(line, path, i + 2);
    if (isExchange(exchange)) return exchange;
    throw damaged(path, i + 2);
  });
  return { header, exchanges };
}

function parseLine(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    if (number === 1) return null;
    throw damaged(path, number, cause);
  }
}

function damaged(path: string, line: number, cause?: unknown): RecordingError {
  const message = `Line ${line} of the recording ${path} is damaged: take an undamaged copy, or ` +
    "record it again";
  return new RecordingError(message, path, { line, cause });
}

function isHeader(value: unknown): value is RecordingHeader {
  return isObject(value) && value.pagewalk === "recording" && Number.isInteger(value.version) &&
    typeof value.qemuVersion === "string" && typeof value.endpointKind === "string";
}

function isExchange(value: unknown): value is RecordedExchange {
  return isObject(value) && typeof value.command === "string" &&
    (value.cpu === undefined || Number.isInteger(value.cpu)) &&
    typeof value.durationMs === "number" &&
    (typeof value.reply === "string" ? value.error === undefined : isError(value.error));
}

function isError(value: unknown): value is RecordedError {
  return isObject(value) && typeof value.name === "string" && typeof value.message === "string" &&
    (value.value === undefined || typeof value.value === "number");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
