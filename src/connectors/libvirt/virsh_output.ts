import { FramingError } from "../../monitor/hmp_codec.ts";
import { QmpFramer, type QmpLine } from "../../monitor/qmp_codec.ts";

/*
 * How the answers of an interactive virsh are told apart (seen with 9.0). Its stdout carries the prompt,
 * the echo of each line, and for a monitor command one line of JSON; errors go to stderr. So behind each
 * command a number is echoed on both: on stdout it starts a line, that the next echo ends.
 */
const MARK = "pagewalk-";
/** How much is kept of what virsh says is wrong with one command; its errors have two lines (9.0). */
const MAX_ERROR_LINES = 16;
const MAX_ERROR_CHARACTERS = 500;

/** Returns the lines that send one QMP command to a domain and mark its end. */
export function encodeVirsh(domain: string, json: string, number: number): string {
  return `qemu-monitor-command ${quote(domain)} ${quote(json)}\n` +
    `echo ${MARK}${number}\necho --err ${MARK}${number}\n`;
}

/** One command's answer: QEMU's line of JSON, or what virsh says is wrong. */
export type VirshAnswer = { number: number; line: QmpLine } | { number: number; error: string };

/** Puts together what virsh says on its two streams. */
export class VirshOutput {
  readonly #stdout: QmpFramer;
  readonly #stderr: QmpFramer;
  readonly #onAnswer: (answer: VirshAnswer) => void;
  /** The numbers come in order on either stream, up to the last that was sent. */
  readonly #reached = { stdout: 0, stderr: 0 };
  #lastSent = 0;
  /** QEMU's line for the command that is being answered. */
  #line: QmpLine | null = null;
  /** The last command that has ended on stdout without such a line. */
  #failed = new Set<number>();
  #errors: string[] = [];
  /** What was said on stderr before a mark that stdout has not reached. */
  readonly #errorsOf = new Map<number, string>();

  constructor(maxLineBytes: number, onAnswer: (answer: VirshAnswer) => void) {
    this.#stdout = new QmpFramer(maxLineBytes);
    this.#stderr = new QmpFramer(64 * 1024);
    this.#onAnswer = onAnswer;
  }

  /** True while a line goes on that is too long. */
  get overflowing(): boolean {
    return this.#stdout.overflowing;
  }

  /** What was said on stderr since the last mark, on one line. */
  get pendingErrors(): string {
    return this.#errors.join("; ");
  }

  /** Notes that commands up to this number have been sent. */
  sent(number: number): void {
    this.#lastSent = number;
  }

  /**
   * Takes the next bytes of stdout.
   *
   * @throws {FramingError} if they answer what was not asked
   */
  pushOutput(bytes: Uint8Array): void {
    for (const line of this.#stdout.push(bytes)) {
      if ("tooLong" in line || line.text.startsWith("{")) this.#line = line;
      else this.#endOnStdout(this.#reach("stdout", line.text));
    }
  }

  /**
   * Takes the next bytes of stderr.
   *
   * @throws {FramingError} as `pushOutput`
   */
  pushError(bytes: Uint8Array): void {
    for (const line of this.#stderr.push(bytes)) {
      const text = "text" in line ? line.text.replace(/^error: /, "") : "…";
      const number = this.#reach("stderr", text);
      if (number === null) this.#keepError(text);
      else {
        const error = this.pendingErrors;
        this.#errors = [];
        if (this.#failed.delete(number)) this.#onAnswer({ number, error });
        else if (error !== "") this.#errorsOf.set(number, error);
      }
    }
  }

  /** The number that a line marks the end of, which must be the next. */
  #reach(stream: "stdout" | "stderr", text: string): number | null {
    const number = markIn(text);
    if (number === null) return null;
    const expected = ++this.#reached[stream];
    if (number === expected && number <= this.#lastSent) return number;
    throw new FramingError(`the end of command ${number}, where ${expected} comes next`);
  }

  #keepError(text: string): void {
    if (this.#errors.length >= MAX_ERROR_LINES) return;
    this.#errors.push(text.slice(0, MAX_ERROR_CHARACTERS));
  }

  #endOnStdout(number: number | null): void {
    if (number === null) return; // A prompt with its echo.
    const line = this.#line;
    this.#line = null;
    const error = this.#errorsOf.get(number);
    this.#errorsOf.delete(number);
    if (line !== null) this.#onAnswer({ number, line });
    else if (error !== undefined) this.#onAnswer({ number, error });
    else this.#failed.add(number); // stderr tells why, sooner or later.
  }
}

function markIn(text: string): number | null {
  const digits = new RegExp(`^${MARK}(\\d+)`).exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** In single quotes virsh takes everything as it stands; a quote itself goes between two such pieces. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
