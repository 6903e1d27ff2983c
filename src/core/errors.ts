/**
 * The base of every error that pagewalk throws on purpose. Its message says what happened, to what,
 * and what to do next, on one line, so that a script may print it as it stands.
 */
export class PagewalkError extends Error {
  /** Creates the error; `options.cause` keeps the error underneath, if there is one. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An argument that cannot be used as it was given: an address, an endpoint, an option. */
export class InvalidArgumentError extends PagewalkError {
  /** The argument as given. */
  readonly input: unknown;

  /** Creates the error for one argument. */
  constructor(message: string, input: unknown, options?: ErrorOptions) {
    super(message, options);
    this.input = input;
  }
}

/** The message of whatever was thrown. */
export function formatError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
