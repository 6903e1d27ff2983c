import { escapeMessage } from "./escape.ts";

/**
 * The base of every error that pagewalk throws on purpose. Its message says what happened, to what,
 * and what to do next, on one line, so that a script may print it as it stands: text of the guest's, a
 * peer's or a file's is escaped in it, while fields keep it as it was.
 */
export class PagewalkError extends Error {
  /** Creates the error; `options.cause` keeps the error underneath, if there is one. */
  constructor(message: string, options?: ErrorOptions) {
    super(escapeMessage(message), options);
    this.name = new.target.name;
    if (this.cause instanceof Error) escapeCause(this.cause);
  }
}

/** No error has so many causes, one under the other. */
const MAX_CAUSES = 20;

/** Deno prints the causes of an error that nobody catches, as they are: paths, a peer's words. */
function escapeCause(cause: Error, depth = 0): void {
  const { message, stack = "" } = cause;
  const escaped = escapeMessage(message);
  if (escaped !== message) {
    // The frames stand behind the message, in which V8 has mended what is not Unicode.
    const place = stack.indexOf(message.toWellFormed());
    const frames = place < 0 ? "" : stack.slice(place + message.length);
    // What is frozen stays as it is.
    Reflect.set(cause, "stack", `${cause.name}: ${escaped}${frames}`);
    Reflect.set(cause, "message", escaped);
  }
  const under = cause.cause;
  // One of ours has seen to its own. Causes may go round in a circle.
  if (!(under instanceof Error) || cause instanceof PagewalkError || depth > MAX_CAUSES) return;
  escapeCause(under, depth + 1);
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

/** The message of whatever was thrown, on one line. */
export function formatError(error: unknown): string {
  return escapeMessage(error instanceof Error ? error.message : String(error));
}
