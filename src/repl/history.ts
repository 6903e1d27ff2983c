import { hasUnsafe } from "../core/escape.ts";

/** The lines that were entered, kept in a file if there is one that may be used. */
export class History {
  readonly #path: string | null;
  /** The lines, the newest first. */
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

  /** Adds a line. */
  add(line: string): void {
    if (this.#path === null || line.trim() === "") return;
    Deno.writeTextFileSync(this.#path, `${line}\n`, { append: true, mode: 0o600 });
  }
}

/** As many lines as an editor keeps. */
const LENGTH = 1000;

function mayUse(path: string): boolean {
  return (["read", "write"] as const).every((name) =>
    Deno.permissions.querySync({ name, path }).state === "granted"
  );
}

/** The lines of a history; what would act on the terminal that it is shown on is left out. */
function readLines(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\n").filter((line) =>
      line !== "" && !hasUnsafe(line)
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
