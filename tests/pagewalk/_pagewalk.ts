import { type Outcome, runExample } from "../examples/_run.ts";

/** Runs the command from the checkout. */
export function runPagewalk(
  args: readonly string[],
  options: Parameters<typeof runExample>[2] = {},
): Promise<Outcome> {
  return runExample("../src/pagewalk/main.ts", args, options);
}
