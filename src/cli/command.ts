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
  if (asksHelp(spec, args)) {
    await loadConnectors();
    const { usageText } = await import("./usage.ts");
    // Wide lines are hard to read. A terminal that does not know its width says 0.
    const width = Deno.stdout.isTerminal() ? Math.min(Deno.consoleSize().columns, 120) : 0;
    console.log(usageText(spec, program, width || undefined));
    return;
  }
  // On a terminal it is said what takes long.
  using _ = activity.start();
  try {
    Deno.exitCode = await body(await readArguments(spec, args)) ?? EXIT.PASS;
  } catch (thrown) {
    Deno.exitCode = EXIT.CANNOT_CHECK;
    // What closing threw as well is the lesser news.
    let error: unknown = thrown;
    while (error instanceof SuppressedError) error = error.suppressed;
    const lines = [await errorLine(error)];
    if (error instanceof InvalidArgumentError) {
      lines.push(`Try: ${program ?? spec.name} --help`);
    } else if (program !== null && LACKS_PERMISSION.test(String(error))) {
      lines.push(INSTALLED_PERMISSIONS);
    }
    tell(lines.join("\n"));
  }
}

/** Says it on standard error; if that cannot be written either, the exit code alone says it. */
function tell(text: string): void {
  try {
    console.error(text);
  } catch (error) {
    if (!(error instanceof Error && /os error/.test(error.message))) throw error;
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
  const specs: OptionSpecs = { ...spec.options, help: HELP };
  const takesDashes = spec.positionals.at(-1)?.takesDashes ?? false;
  const parsed = parseCommandLine(takesDashes ? dashesKept(args, specs) : args, specs);
  const { positionals, options } = parsed as {
    positionals: string[];
    options: OptionValues<S>;
  };
  const given = [...positionals];
  spec.positionals.forEach(({ orOption }, place) => {
    const stand = orOption && (options as Record<string, unknown>)[orOption];
    if (stand !== undefined) given.splice(place, 0, String(stand));
  });
  const missing = spec.positionals.filter(({ optional }) => !optional)[given.length];
  if (missing) {
    await loadConnectors();
    throw new InvalidArgumentError(`Missing argument <${missing.name}>: ${missing.purpose}`, given);
  }
  if (
    given.length > spec.positionals.length && !spec.positionals.some(({ repeated }) => repeated)
  ) {
    const extra = given.slice(spec.positionals.length).join(" ");
    throw new InvalidArgumentError(`Too many arguments: ${extra}`, given);
  }
  return { positionals: given, options };
}

const HELP = flag("print this text");

function asksHelp(spec: CommandSpec<OptionSpecs>, args: readonly string[]): boolean {
  if (args.includes("--help")) return true;
  // Behind a monitor command it is that command's.
  return args.includes("-h") && (!spec.positionals.at(-1)?.takesDashes || args[0] === "-h");
}

/**
 * A command line on which words with one dash are arguments, once there is an argument: no option of a script
 * is written with one dash.
 */
function dashesKept(args: readonly string[], specs: OptionSpecs): string[] {
  const [options, words]: [string[], string[]] = [[], []];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return [...options, "--", ...words, ...args.slice(i + 1)];
    if (!arg.startsWith("--") && (words.length > 0 || !arg.startsWith("-"))) {
      words.push(arg);
      continue;
    }
    options.push(arg);
    const takesNext = specs[arg.slice(2)]?.kind === "value" && i + 1 < args.length;
    if (takesNext) options.push(args[++i]!);
  }
  return [...options, "--", ...words];
}

/** One line for an error of ours or the system's; all there is for one that nobody foresaw. */
async function errorLine(error: unknown): Promise<string> {
  if (error instanceof PagewalkError) return `error: ${error.message}`;
  const { describeSystemError } = await import("./system_error.ts");
  const refused = describeSystemError(error);
  if (refused !== null) return `error: ${refused}`;
  return escapeLines(
    error instanceof Error ? `error: ${error.stack ?? error.message}` : `error: ${error}`,
  );
}
