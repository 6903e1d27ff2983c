import { InvalidArgumentError } from "../core/errors.ts";
import type { Right } from "../translate/rights.ts";

/** The rights that an expectation can name. */
const RIGHTS = ["user", "writable", "executable"] as const satisfies readonly Right[];

/** What a mapping is expected to be. What is not named may be either way. */
export interface Expectation {
  /** A page is mapped (true), or none is (false). Expecting any right implies true. */
  readonly present?: boolean;
  /** User-mode accesses: `_PAGE_USER` is set. */
  readonly user?: boolean;
  /** Writes: `_PAGE_RW` is set. */
  readonly writable?: boolean;
  /** Instruction fetches: `_PAGE_NX` is clear. */
  readonly executable?: boolean;
  /**
   * Whose rights are judged: those of the last entry alone, or those that all levels leave.
   *
   * @default {"leaf"}
   */
  readonly scope?: "leaf" | "effective";
}

/** The seed question: is `_PAGE_USER` clear in the page's own entry? */
export const USER_CLEARED: Expectation = Object.freeze({ user: false });

/**
 * Checks an expectation and fills its defaults in.
 *
 * @throws {InvalidArgumentError} if it expects nothing, or rights of a page that is not there
 */
export function completeExpectation(
  expectation: Expectation,
): { present: boolean; rights: Partial<Record<Right, boolean>>; scope: "leaf" | "effective" } {
  const rights: Partial<Record<Right, boolean>> = {};
  for (const right of RIGHTS) {
    const value = expectation[right];
    if (value !== undefined) rights[right] = value;
  }
  const hasRights = Object.keys(rights).length > 0;
  if (!hasRights && expectation.present === undefined) {
    throw new InvalidArgumentError(
      "The expectation names nothing: give at least one of present, user, writable, executable",
      expectation,
    );
  }
  if (hasRights && expectation.present === false) {
    throw new InvalidArgumentError(
      "A page that is not mapped has no rights: expect present: false alone",
      expectation,
    );
  }
  const scope = expectation.scope ?? "leaf";
  if (scope !== "leaf" && scope !== "effective") {
    throw new InvalidArgumentError(`scope must be "leaf" or "effective": it is ${scope}`, scope);
  }
  return { present: expectation.present ?? true, rights, scope };
}
