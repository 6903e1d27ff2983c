import { InvalidArgumentError, PagewalkError } from "../core/errors.ts";
import { escapeLines } from "../core/escape.ts";
import type { VerdictKind } from "../verify/verdict.ts";
import { activity } from "./activity.ts";
import type { CommandSpec } from "./command_spec.ts";
import { flag, type OptionSpecs, type OptionValues, parseCommandLine } from "./options.ts";

/** What a script that checks something exits with. */
export const EXIT = {
  /** The expectation holds. */
  PASS: 0,
  /** The expectation does not hold. */
  FAIL: 1,
  /** There was no page to judge. */
  INCONCLUSIVE: 2,
  /** The check could not be made: usage, connection, permission. */
  CANNOT_CHECK: 3,
} as const;

/** The exit code that a verdict stands for. */
export function exitCodeOf(verdict: VerdictKind): number {
  return { pass: EXIT.PASS, fail: EXIT.FAIL, inconclusive: EXIT.INCONCLUSIVE }[verdict];
}

/** The arguments of one call of a command. */
export interface CommandArguments<S extends OptionSpecs> {
  /** The arguments that have a place, in order. */
  readonly positionals: readonly string[];
  /** The options. */
  readonly options: OptionValues<S>;
}

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

/**
 * Runs a script: reads its arguments, runs its body and sets the exit code that the body returns. An
 * error becomes one line on standard error and exit code 3, since the check could not be made; only
 * an error that nobody foresaw shows its stack. `--help` prints the usage.
 */
export async function runCommand<S extends OptionSpecs>(
  spec: CommandSpec<S>,
  body: (args: CommandArguments<S>) => Promise<number | void>,
): Promise<void> {
  const { args, program = null, describe } = invocation();
  if (describe) return describe(spec);
  if (args.includes("--help") || args.includes("-h")) {
    await loadConnectors();
    const { usageText } = await import("./usage.ts");
    console.log(usageText(spec, program));
    return;
  }
  // On a terminal it is said what takes long.
  using _ = activity.start();
  try {
    Deno.exitCode = await body(await readArguments(spec, args)) ?? EXIT.PASS;
  } catch (error) {
    Deno.exitCode = EXIT.CANNOT_CHECK;
    console.error(errorLine(error));
    if (error instanceof InvalidArgumentError) {
      console.error(`Try: ${program ?? spec.name} --help`);
    } else if (program !== null && LACKS_PERMISSION.test(String(error))) {
      console.error(INSTALLED_PERMISSIONS);
    }
  }
}

/** A message that names the flag of a permission that is not there. */
const LACKS_PERMISSION = /--allow-[a-z]+/;

const INSTALLED_PERMISSIONS =
  "An installed pagewalk has the permissions that it was installed with: repeat deno install with this flag";

/** What says how a guest may be named lists them all; without that, only the one that is used is loaded. */
async function loadConnectors(): Promise<void> {
  await import("../connectors/table.ts");
}

async function readArguments<S extends OptionSpecs>(
  spec: CommandSpec<S>,
  args: readonly string[],
): Promise<CommandArguments<S>> {
  const { positionals, options } = parseCommandLine(args, { ...spec.options, help: HELP });
  const given = [...positionals];
  spec.positionals.forEach(({ orOption }, place) => {
    const stand = orOption && (options as Record<string, unknown>)[orOption];
    if (stand !== undefined) given.splice(place, 0, String(stand));
  });
  const missing = spec.positionals[given.length];
  if (missing && !missing.optional) {
    await loadConnectors();
    throw new InvalidArgumentError(`Missing argument <${missing.name}>: ${missing.purpose}`, given);
  }
  if (given.length > spec.positionals.length && !spec.positionals.at(-1)?.repeated) {
    const extra = given.slice(spec.positionals.length).join(" ");
    throw new InvalidArgumentError(`Too many arguments: ${extra}`, given);
  }
  return { positionals: given, options };
}

const HELP = flag("print this text");

/** One line for an error of ours; all there is for one that nobody foresaw. */
function errorLine(error: unknown): string {
  if (error instanceof PagewalkError) return `error: ${error.message}`;
  return escapeLines(
    error instanceof Error ? `error: ${error.stack ?? error.message}` : `error: ${error}`,
  );
}
