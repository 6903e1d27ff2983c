import { PagewalkError } from "../core/errors.ts";
import { ByteBuffer } from "./_byte_buffer.ts";

/*
 * How a reply's end is known. QEMU's output may hold `(qemu) ` anywhere, and a chunk of bytes may end
 * right behind it, so the prompt alone proves nothing. Therefore a blank is typed ahead, behind the
 * line end: `info status\n `. QEMU reads it only when it takes input again, after it has printed the
 * prompt, and its line editor answers with the blank and `ESC [ K`. The reply ends where the data ends
 * with prompt, blank and that escape: output would have to hold a terminal escape behind `(qemu)  `, and
 * a chunk would have to end there. This costs no round trip: the blank travels with the command, QEMU
 * skips it in front of the next one, and the time per command stays the same within the noise. Seen on
 * 5.2, 7.2, 10.0 and 11.1 (`util/readline.c`).
 *
 * Where the next command has been sent along, its echo follows at once: the line editor moves back over
 * the blank to repaint the line, so the mark is followed by `ESC [ D` instead of by the end of the data.
 */
const PROMPT = "(qemu) ";
const ERASE_TO_END_OF_LINE = "\x1b[K";
const CURSOR_LEFT = "\x1b[D";
const TYPED_AHEAD = " ";

const encoder = new TextEncoder();

const REPLY_END = ascii(PROMPT + TYPED_AHEAD + ERASE_TO_END_OF_LINE);
const REPLY_END_AND_ECHO = ascii(PROMPT + TYPED_AHEAD + ERASE_TO_END_OF_LINE + CURSOR_LEFT);
const BANNER_END = ascii("\r\n" + PROMPT);
const LINE_FEED = 0x0a;

const MAX_BANNER_BYTES = 4096;

/** Bytes that no monitor sends at this point; the connection cannot be trusted any more. */
export class FramingError extends PagewalkError {}

/** Returns the bytes that send one command: its line, the line end, and the blank typed ahead. */
export function encodeCommand(line: string): Uint8Array<ArrayBuffer> {
  return ascii(`${line}\n${TYPED_AHEAD}`);
}

/** Gathers what a monitor sends on connecting, until its first prompt. */
export class BannerFramer {
  readonly #bytes = new ByteBuffer();

  /** Takes the next bytes; returns true once the prompt is there. */
  push(bytes: Uint8Array): boolean {
    this.#bytes.append(bytes);
    if (this.#bytes.lengthBytes > MAX_BANNER_BYTES) {
      throw new FramingError("the banner has no end");
    }
    return this.#bytes.endsWith(BANNER_END);
  }

  /** What came so far, as text. */
  get text(): string {
    return decodeText(this.#bytes.view());
  }
}

/** Gathers one command's reply: skips the echo, keeps the text, knows the end. */
export class ReplyFramer {
  readonly #lineAsEchoed: Uint8Array;
  readonly #maxEchoBytes: number;
  readonly #echoTail = new ByteBuffer();
  readonly #body = new ByteBuffer();
  #echoBytes = 0;
  readonly #followed: boolean;
  #inEcho = true;
  #discarding = false;
  #rest: Uint8Array = new Uint8Array();

  /** Starts on the reply to a line; `followed` if another line has been sent behind it already. */
  constructor(line: string, options: { followed?: boolean } = {}) {
    this.#lineAsEchoed = ascii(line + ERASE_TO_END_OF_LINE + "\r\n");
    this.#maxEchoBytes = maxEchoBytes(line.length);
    this.#followed = options.followed ?? false;
  }

  /**
   * Takes the next bytes; returns true once the reply is complete.
   *
   * @throws {FramingError} if the echo is not that of the line
   */
  push(bytes: Uint8Array): boolean {
    const body = this.#inEcho ? this.#skipEcho(bytes) : bytes;
    if (this.#inEcho) return false;
    const before = this.#body.lengthBytes;
    this.#body.append(body);
    const complete = this.#followed ? this.#findEnd(before) : this.#body.endsWith(REPLY_END);
    if (!complete && this.#discarding) this.#body.keepLast(REPLY_END_AND_ECHO.length);
    return complete;
  }

  /** Once the reply is complete, the bytes behind it: they belong to the next one. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** How many bytes of the reply are kept, its end mark included. */
  get lengthBytes(): number {
    return this.#body.lengthBytes;
  }

  /** Drops the text from now on: nobody wants it, but its end is still looked for. */
  discard(): void {
    this.#discarding = true;
    this.#body.keepLast(REPLY_END_AND_ECHO.length);
  }

  /** The complete reply, lines ended by `\n`, without a last line end. */
  text(): string {
    const text = decodeText(this.#body.view().subarray(0, -REPLY_END.length));
    const lines = text.replaceAll("\r\n", "\n");
    return lines.endsWith("\n") ? lines.slice(0, -1) : lines;
  }

  /** Looks for the end mark before the next echo, in what has come since there were so many bytes. */
  #findEnd(before: number): boolean {
    const bytes = this.#body.view();
    const mark = REPLY_END_AND_ECHO;
    for (let at = Math.max(0, before - mark.length + 1);; at++) {
      at = bytes.indexOf(mark[0]!, at);
      if (at < 0 || at + mark.length > bytes.length) return false;
      if (!mark.every((byte, i) => byte === bytes[at + i])) continue;
      this.#rest = this.#body.takeBehind(at + REPLY_END.length);
      return true;
    }
  }

  /** Returns what follows the echo's line end. */
  #skipEcho(bytes: Uint8Array): Uint8Array {
    const lineEnd = bytes.indexOf(LINE_FEED);
    const echo = lineEnd < 0 ? bytes : bytes.subarray(0, lineEnd + 1);
    this.#echoBytes += echo.length;
    // Each character typed repaints the whole line, so the line stands before the echo's end.
    this.#echoTail.append(echo.subarray(-this.#lineAsEchoed.length));
    this.#echoTail.keepLast(this.#lineAsEchoed.length);
    if (this.#echoBytes > this.#maxEchoBytes) throw new FramingError("the echo has no end");
    if (lineEnd < 0) return bytes.subarray(bytes.length);
    if (!this.#echoTail.endsWith(this.#lineAsEchoed)) {
      throw new FramingError("the echo is not that of the command");
    }
    this.#inEcho = false;
    return bytes.subarray(lineEnd + 1);
  }
}

/**
 * The longest echo of a line: for each character that many `ESC [ D` as stand before it, the line so
 * far, and `ESC [ K`; 4n bytes for the nth. The blank typed ahead counts as one.
 */
function maxEchoBytes(characters: number): number {
  const typed = characters + TYPED_AHEAD.length;
  return 2 * typed * (typed + 1) + "\r\n".length;
}

/** The bytes of ASCII text: lines are checked to be that. */
function ascii(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
