import { openAppendableFileSync } from "../core/regular_file.ts";

import { hasUnsafe } from "../core/escape.ts";

/** The lines that were entered, kept in a file if there is one that may be used. */
export class History {
  readonly #path: string | null;
  /** The entries, the newest first. */
  readonly lines: readonly string[];

  private constructor(path: string | null, lines: readonly string[]) {
    this.#path = path;
    this.lines = lines;
  }

  /**
   * Opens the history in a file; without one, or without permission to read and write it, lines are
   * remembered until the prompt ends. Nothing is asked for.
   */
  static open(path: string | undefined): History {
    if (path === undefined || !mayUse(path)) return new History(null, []);
    return new History(path, readLines(path).reverse().slice(0, LENGTH));
  }

  /** True if lines outlive the prompt. */
  get isKept(): boolean {
    return this.#path !== null;
  }

  /** Adds an entry, which may have several lines. */
  add(entry: string): void {
    if (this.#path === null || entry.trim() === "") return;
    using file = openAppendableFileSync(this.#path);
    // A line that goes on in the next ends in a backslash, as in a shell.
    file.writeSync(new TextEncoder().encode(`${entry.replaceAll("\n", "\\\n")}\n`));
  }
}

/** As many lines as an editor keeps. */
const LENGTH = 1000;

function mayUse(path: string): boolean {
  return (["read", "write"] as const).every((name) =>
    Deno.permissions.querySync({ name, path }).state === "granted"
  );
}

/**
 * The last lines of a file, which is made if it is not there; what would act on the terminal that they are
 * shown on is left out.
 */
function readLines(path: string): string[] {
  using file = openAppendableFileSync(path);
  const { size } = file.statSync();
  const bytes = new Uint8Array(Math.min(size, MAX_BYTES));
  file.seekSync(size - bytes.length, Deno.SeekMode.Start);
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  const lines = new TextDecoder().decode(bytes.subarray(0, length)).split("\n");
  // Where the file is longer, the first line is the end of one.
  return entriesIn(lines.slice(size > MAX_BYTES ? 1 : 0));
}

/** Puts the lines of each entry together; entries with a line that might act are left out. */
function entriesIn(lines: readonly string[]): string[] {
  const entries: string[][] = [];
  let goesOn = false;
  for (const line of lines) {
    const bare = line.endsWith("\\") ? line.slice(0, -1) : line;
    if (goesOn) entries.at(-1)!.push(bare);
    else entries.push([bare]);
    goesOn = line !== bare;
  }
  return entries.filter((entry) => !entry.some((line) => hasUnsafe(line)))
    .map((entry) => entry.join("\n")).filter((entry) => entry !== "");
}

/** More than a thousand lines have; of a longer file the end is read. */
const MAX_BYTES = 2 ** 20;
