import { PagewalkError } from "../../core/errors.ts";

/** A file that is not a dump, or one that cannot be read: compressed, cut short, damaged. */
export class DumpFormatError extends PagewalkError {
  /** The file's path. */
  readonly path: string;

  /** Creates the error for one file; `problem` says what is wrong and what to do. */
  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`Cannot use ${path} as a dump: ${problem}`, options);
    this.path = path;
  }
}

/** Registers were asked of a raw memory image, or of a dump that holds none. */
export class NoRegistersError extends PagewalkError {
  /** What it was opened as. */
  readonly endpoint: string;

  /** Creates the error for one image; `why` completes its name, `modes` are the kinds of tables. */
  constructor(
    endpoint: string,
    why = "is a raw memory image and holds no registers",
    modes: readonly string[] = ["4-level", "5-level", "pae", "32-bit"],
  ) {
    super(
      `${endpoint} ${why}: give the address of the page table (root) and its kind (mode: ${
        modes.join(", ")
      })`,
    );
    this.endpoint = endpoint;
  }
}
