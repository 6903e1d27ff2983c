import { invocation } from "./command.ts";

/**
 * How to start another command of ours as this one was started: a script by `deno run`, a subcommand by
 * `pagewalk`.
 *
 * @param names what it is called: as a subcommand, and as a script's path from the project's root
 * @param permissions what it may do, as flags of `deno run`
 */
export function another(
  [command, script]: readonly [command: string, script: string],
  permissions: readonly string[],
  args: readonly string[],
): { shown: string; run: string[] } {
  const isScript = invocation().program === undefined;
  const shown = isScript ? ["deno run", ...permissions, script] : ["pagewalk", command];
  const deno = ["run", "--no-prompt", ...permissions];
  const run = isScript
    ? [...deno, new URL(`../../${script}`, import.meta.url).href]
    : [...Deno.build.standalone ? [] : [...deno, Deno.mainModule], command];
  return { shown: [...shown, ...args].join(" "), run: [...run, ...args] };
}
