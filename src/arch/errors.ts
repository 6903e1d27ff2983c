import { PagewalkError } from "../core/errors.ts";

/** What was to tell registers lacks one, or is damaged. */
export class DamagedRegistersError extends PagewalkError {
  /** The text in which something is missing. */
  readonly text: string;
  /** What is missing. */
  readonly missing: string;

  /** Creates the error for a text. */
  constructor(text: string, missing: string) {
    super(`The registers lack ${missing}`);
    this.text = text;
    this.missing = missing;
  }
}
