import { ByteBuffer } from "./_byte_buffer.ts";
import { FramingError } from "./hmp_codec.ts";

/*
 * QMP is one JSON value a line, either way; QEMU ends its lines with CR LF (5.2 to 11.1). Replies to
 * commands without out-of-band capability come in the order of the commands; events in between.
 */
const LINE_FEED = 0x0a;
/** An `id` at a line's end is this short, and nothing else that is needed stands there. */
const TAIL_BYTES = 64;

/** What QEMU says first. */
export interface QmpGreeting {
  /** What kind of message this is. */
  kind: "greeting";
  /** QEMU's version, such as `7.2.22`. */
  qemuVersion: string;
}

/** Something that happened in QEMU, unasked. */
export interface QmpEvent {
  /** Its name, such as `STOP`, `RESUME`, `SHUTDOWN`. */
  event: string;
  /** What goes with it; empty for most. */
  data: Readonly<Record<string, unknown>>;
  /** When it happened by the host's clock, in milliseconds since 1970. */
  timeMs: number;
}

/** One line from QEMU. */
export type QmpMessage =
  | QmpGreeting
  | { kind: "event"; event: QmpEvent }
  | { kind: "return"; id: number | null; value: unknown }
  | { kind: "error"; id: number | null; qmpClass: string; description: string };

/** What a stream of bytes held: a line, or the end of a line that was too long to keep. */
export type QmpLine = { text: string } | { tooLong: true; id: number | null };

/** Returns the bytes that send one command. */
export function encodeQmp(
  execute: string,
  id: number,
  args?: Readonly<Record<string, unknown>>,
): string {
  return `${JSON.stringify({ execute, ...args && { arguments: args }, id })}\n`;
}

/** Cuts a stream of bytes into lines, whatever way it arrives. */
export class QmpFramer {
  readonly #maxLineBytes: number;
  readonly #line = new ByteBuffer();
  #tooLong = false;

  /** Keeps lines of at most so many bytes; of a longer one only its end is looked at. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** True while a line goes on that is already too long. */
  get overflowing(): boolean {
    return this.#tooLong;
  }

  /** How much is kept of the line that goes on. */
  get pendingBytes(): number {
    return this.#line.lengthBytes;
  }

  /** Takes the next bytes and returns the lines that they complete, without empty ones. */
  push(bytes: Uint8Array): QmpLine[] {
    const lines: QmpLine[] = [];
    for (let start = 0; start < bytes.length;) {
      const found = bytes.indexOf(LINE_FEED, start);
      const end = found < 0 ? bytes.length : found;
      this.#append(bytes.subarray(start, end));
      if (found >= 0) {
        const line = this.#take();
        if (line !== null) lines.push(line);
      }
      start = end + 1;
    }
    return lines;
  }

  #append(bytes: Uint8Array): void {
    this.#line.append(bytes);
    if (!this.#tooLong && this.#line.lengthBytes <= this.#maxLineBytes) return;
    this.#tooLong = true;
    this.#line.keepLast(TAIL_BYTES);
  }

  #take(): QmpLine | null {
    const text = decoder.decode(this.#line.view()).trim();
    const tooLong = this.#tooLong;
    this.#line.keepLast(0);
    this.#tooLong = false;
    if (tooLong) return { tooLong: true, id: trailingId(text) };
    return text === "" ? null : { text };
  }
}

/** The `id` that a reply ends with. It cannot be part of a string, as one would end in a quote. */
function trailingId(text: string): number | null {
  const digits = /, "id": (\d+)\}$/.exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads one line from QEMU.
 *
 * @throws {FramingError} if it is nothing that QEMU says
 */
export function parseQmp(text: string): QmpMessage {
  const value = parseJson(text);
  if (isRecord(value)) {
    const id = typeof value.id === "number" ? value.id : null;
    if ("return" in value) return { kind: "return", id, value: value.return };
    if (isRecord(value.error)) {
      const { class: qmpClass, desc } = value.error;
      if (typeof qmpClass === "string" && typeof desc === "string") {
        return { kind: "error", id, qmpClass, description: desc };
      }
    }
    if (typeof value.event === "string") return { kind: "event", event: eventFrom(value) };
    if (isRecord(value.QMP)) return { kind: "greeting", qemuVersion: versionFrom(value.QMP) };
  }
  throw new FramingError(`no QMP message: ${JSON.stringify(text.slice(0, 60))}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new FramingError(`no JSON: ${JSON.stringify(text.slice(0, 60))}`, { cause });
  }
}

function eventFrom(value: Record<string, unknown>): QmpEvent {
  const { timestamp, data } = value;
  const { seconds, microseconds } = isRecord(timestamp) ? timestamp : {};
  return {
    event: String(value.event),
    data: isRecord(data) ? data : {},
    timeMs: Number(seconds ?? 0) * 1000 + Number(microseconds ?? 0) / 1000,
  };
}

function versionFrom(qmp: Record<string, unknown>): string {
  const { qemu } = isRecord(qmp.version) ? qmp.version : {};
  if (!isRecord(qemu)) return "";
  return [qemu.major, qemu.minor, qemu.micro].join(".");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
