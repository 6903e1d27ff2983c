import { InvalidArgumentError } from "../core/errors.ts";
import { BOOLEAN, checkOptions, oneOfWords, type OptionShape } from "../core/options.ts";
import type { Regime } from "../translate/regime.ts";
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

const EXPECTATION_SHAPE: OptionShape<Expectation> = {
  present: BOOLEAN,
  user: BOOLEAN,
  writable: BOOLEAN,
  executable: BOOLEAN,
  scope: oneOfWords("leaf", "effective"),
};

const INSTEAD = {
  effective: 'scope: "effective"',
  leaf: 'scope: "leaf"',
  level: "scope",
  mapped: "present",
  supervisor: "user: false",
  kernel: "user: false",
  cleared: "user: false",
  nx: "executable: false",
  noExecute: "executable: false",
  rw: "writable",
};

/** The seed question: is `_PAGE_USER` clear in the page's own entry? */
export const USER_CLEARED: Expectation = Object.freeze({ user: false });

/**
 * Checks that tables have the rights that are expected: those of a device know no user mode.
 *
 * @throws {InvalidArgumentError} if they lack one
 */
export function requireRights(
  { mode, rules: { rights: { names } } }: Regime,
  rights: Partial<Record<Right, boolean>>,
): void {
  const missing = (Object.keys(rights) as Right[]).find((right) => !names.includes(right));
  if (missing === undefined) return;
  const known = RIGHTS.filter((right) => names.includes(right)).join(", ");
  throw new InvalidArgumentError(
    `Tables of ${mode} have no right "${missing}": they can be judged by present, ${known}`,
    rights,
  );
}

/**
 * Checks an expectation and fills its defaults in.
 *
 * @throws {InvalidArgumentError} if it expects nothing, rights of a page that is not there, or has keys or
 * values that mean nothing
 */
export function completeExpectation(
  expectation: Expectation,
): { present: boolean; rights: Partial<Record<Right, boolean>>; scope: "leaf" | "effective" } {
  checkOptions(expectation, "the expectation", EXPECTATION_SHAPE, INSTEAD);
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
  return { present: expectation.present ?? true, rights, scope: expectation.scope ?? "leaf" };
}
