import { ExpressionError, readExpression } from "./expression.ts";
import type { DumpFormat } from "./memory_dump.ts";

/** One argument of a monitor command, in the order in which QEMU reads them. */
export type ArgumentSpec =
  /** `/COUNT FORMAT SIZE`, as `xp` takes it. */
  | { kind: "format" }
  /** A number, in 32 or 64 bits. */
  | { kind: "number"; name: string; bits: 32 | 64; optional?: boolean }
  /** A word, up to the next blank. */
  | { kind: "word"; name: string }
  /** A `-x` flag. */
  | { kind: "flag"; letter: string };

/** What `/…` asked for; what it left open is taken from the command before. */
export interface FormatArgument {
  /** How many words. */
  count: number;
  /** How a word is printed; `i` is a disassembly. */
  format?: DumpFormat | "i";
  /** The length of a word. */
  wordBytes?: 1 | 2 | 4 | 8;
}

/** The arguments of one command. */
export interface Arguments {
  /** The `/…` argument. */
  format: FormatArgument;
  /** The numbers by name. */
  numbers: ReadonlyMap<string, bigint>;
  /** The words by name. */
  words: ReadonlyMap<string, string>;
  /** The letters of the flags that were given. */
  flags: ReadonlySet<string>;
}

/** Arguments that QEMU refuses. The message is what it prints before `Try "help …"`. */
export class ArgumentError extends Error {
  override name = "ArgumentError";
}

const FORMATS = "oduxci";
const SIZES: Readonly<Record<string, 1 | 2 | 4 | 8>> = { b: 1, h: 2, w: 4, g: 8 };

/**
 * Reads a command's arguments as QEMU's monitor does.
 *
 * @throws {ArgumentError} with QEMU's message
 */
export function readArguments(
  commandName: string,
  specs: readonly ArgumentSpec[],
  text: string,
  register: (name: string) => bigint | undefined,
): Arguments {
  const reader = new ArgumentReader(commandName, specs, text, register);
  for (const spec of specs) reader.read(spec);
  reader.requireEnd();
  return reader.result;
}

class ArgumentReader {
  readonly #commandName: string;
  readonly #specs: readonly ArgumentSpec[];
  readonly #text: string;
  readonly #register: (name: string) => bigint | undefined;
  readonly #numbers = new Map<string, bigint>();
  readonly #words = new Map<string, string>();
  readonly #flags = new Set<string>();
  #format: FormatArgument = { count: 1 };
  #at = 0;

  constructor(
    commandName: string,
    specs: readonly ArgumentSpec[],
    text: string,
    register: (name: string) => bigint | undefined,
  ) {
    this.#commandName = commandName;
    this.#specs = specs;
    this.#text = text;
    this.#register = register;
  }

  get result(): Arguments {
    return {
      format: this.#format,
      numbers: this.#numbers,
      words: this.#words,
      flags: this.#flags,
    };
  }

  read(spec: ArgumentSpec): void {
    this.#skipSpace();
    switch (spec.kind) {
      case "format":
        return this.#readFormat();
      case "number":
        return this.#readNumber(spec.name, spec.bits, spec.optional ?? false);
      case "word":
        return this.#readWord(spec.name);
      case "flag":
        return this.#readFlag(spec.letter);
    }
  }

  requireEnd(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) {
      throw new ArgumentError(`${this.#commandName}: extraneous characters at the end of line\n`);
    }
  }

  #readFormat(): void {
    if (this.#peek() !== "/") return;
    const [digits] = /^\d*/.exec(this.#text.slice(this.#at + 1))!;
    this.#at += 1 + digits.length;
    const format: FormatArgument = {
      // QEMU counts in a C int, which wraps.
      count: digits === "" ? 1 : Number(BigInt.asIntN(32, BigInt(digits))),
    };
    for (; this.#peek() !== "" && !isSpace(this.#peek()); this.#at++) {
      const letter = this.#peek();
      const size = SIZES[letter];
      if (size !== undefined) format.wordBytes = size;
      else if (FORMATS.includes(letter)) format.format = letter as DumpFormat | "i";
      else throw new ArgumentError(`invalid char in format: '${letter}'\n`);
    }
    this.#format = format;
  }

  #readNumber(name: string, bits: 32 | 64, optional: boolean): void {
    if (optional && this.#peek() === "") return;
    const { value, end } = this.#expression();
    this.#at = end;
    if (bits === 32 && (value < 0n || value >= 1n << 32n)) {
      throw new ArgumentError(
        `'${this.#commandName}' has failed: integer is for 32-bit values\n`,
      );
    }
    this.#numbers.set(name, value);
  }

  #readWord(name: string): void {
    const [word] = /^\S*/.exec(this.#text.slice(this.#at))!;
    if (word === "") throw new ArgumentError(`${this.#commandName}: string expected\n`);
    this.#at += word.length;
    this.#words.set(name, word);
  }

  #expression(): { value: bigint; end: number } {
    try {
      return readExpression(this.#text, this.#at, this.#register);
    } catch (error) {
      if (error instanceof ExpressionError) throw new ArgumentError(`${error.message}\n`);
      throw error;
    }
  }

  #readFlag(letter: string): void {
    if (this.#peek() !== "-") return;
    const given = this.#text[this.#at + 1];
    if (given === letter) {
      this.#flags.add(letter);
      this.#at += 2;
      return;
    }
    const known = this.#specs.some((spec) => spec.kind === "flag" && spec.letter === given);
    if (known) return;
    // A lone "-" makes QEMU print a NUL, and with it lose the line end (seen in 7.2).
    const shown = given === undefined ? "" : `${given}\n`;
    throw new ArgumentError(`${this.#commandName}: unsupported option -${shown}`);
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #skipSpace(): void {
    while (isSpace(this.#peek())) this.#at++;
  }
}

function isSpace(character: string): boolean {
  return /^\s$/.test(character);
}
