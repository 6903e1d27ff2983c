/** Thrown where a value is needed at once that is only promised. */
export class NeedsWaitingError extends TypeError {
  override readonly name = "NeedsWaitingError";

  /** @param what the typed text of what has no value yet */
  constructor(what: string) {
    super(
      `${what} is a promise, and this code cannot await it: JavaScript itself calls it (a getter, ` +
        "constructor, generator, or a callback of another library). Ask before, outside of it: " +
        `const value = ${what}; or write async (…) => … await ${what} where a promise will do`,
    );
  }
}
