import type { Expectation } from "../verify/expectation.ts";
import { flag, type FlagOption, oneOf, type OptionValues, type ValueOption } from "./options.ts";

/** What says how `_PAGE_USER` should be. */
export type ExpectOptionSpecs = {
  /** What the bit should be. */
  readonly expect: ValueOption<"cleared" | "set">;
  /** Whether all levels are judged together. */
  readonly effective: FlagOption;
};

/** The options that say how `_PAGE_USER` should be. */
export const EXPECT_OPTIONS: ExpectOptionSpecs = {
  expect: oneOf(["cleared", "set"], "what _PAGE_USER should be (default cleared)"),
  effective: flag("judge the effective rights of all levels, not the last entry alone"),
};

/** Turns a script's options into what is expected of a page. */
export function expectationOf(options: OptionValues<ExpectOptionSpecs>): Expectation {
  return {
    user: options.expect === "set",
    scope: options.effective ? "effective" : "leaf",
  };
}
