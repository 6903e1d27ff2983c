import { commandIn } from "./commands.ts";
import type { IncompleteInput, ParsedInput } from "./evaluate/parse.ts";

/** What lines come to: a command, code to run, or nothing yet. */
export type Entry =
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "code"; readonly parsed: ParsedInput }
  | { readonly kind: "open"; readonly error: SyntaxError };

/** What an entry is read with. */
export interface EntryReading {
  /** Parses code, or says that it goes on. */
  parse(source: string): ParsedInput | IncompleteInput;
  /** Says whether a name means anything. */
  knows(name: string): boolean;
}

/** What no statement can begin with: a line that does so belongs to the line before. */
const GOES_ON =
  /^\s*(?:(?:else|catch|finally|instanceof|in)\b|\?|\.(?![a-z]+(?:\s|$))|[:,)\]%^*=<>]|[+-]\s|&&?|\|\|?)/;

/** Puts lines together to entries, as they are typed, pasted or piped in. */
export class EntryReader {
  readonly #reading: EntryReading;
  #text = "";

  /** Reads with this parser. */
  constructor(reading: EntryReading) {
    this.#reading = reading;
  }

  /** The lines of an entry that goes on; empty between entries. */
  get text(): string {
    return this.#text;
  }

  /** Forgets the lines of an entry that goes on. */
  drop(): void {
    this.#text = "";
  }

  /**
   * Takes a line.
   *
   * @param next the line after it, if it is there already: it may belong to this entry
   * @throws {SyntaxError} if the entry cannot be made right; it is dropped
   */
  take(line: string, next?: string): Entry {
    const { parse, knows } = this.#reading;
    const command = this.#text === "" ? commandIn(line, knows) : undefined;
    if (command !== undefined) return { kind: "command", command };
    const text = this.#text === "" ? line : `${this.#text}\n${line}`;
    this.#text = "";
    const parsed = parse(text);
    if (parsed.kind === "complete" && !this.#goesOn(text, next)) return { kind: "code", parsed };
    this.#text = text;
    const error = parsed.kind === "incomplete" ? parsed.error : new SyntaxError("Unexpected end");
    return { kind: "open", error };
  }

  #goesOn(text: string, next: string | undefined): boolean {
    if (next === undefined || text.trim() === "" || !GOES_ON.test(next)) return false;
    try {
      this.#reading.parse(`${text}\n${next}`);
      return true;
    } catch {
      // Together they are wrong too: each is told of by itself.
      return false;
    }
  }
}
