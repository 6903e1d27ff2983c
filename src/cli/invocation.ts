import type { CommandSpec } from "./command_spec.ts";
import type { OptionSpecs } from "./options.ts";

/** How the command that runs was called. */
export interface Invocation {
  /** Its arguments. */
  readonly args: readonly string[];
  /** What was typed before them, if it is a subcommand: `pagewalk verify`. A script has its file's name. */
  readonly program?: string;
  /** Takes what the command is, instead of running it. */
  readonly describe?: (spec: CommandSpec<OptionSpecs>) => void;
}

let current: Invocation | null = null;

/** Says how the command that is loaded next is called. */
export function callAs(invocation: Invocation): void {
  current = invocation;
}

/** How the command was called: as a script with the process's arguments, if nothing else was said. */
export function invocation(): Invocation {
  return current ?? { args: Deno.args };
}
