import { InvalidArgumentError } from "../core/errors.ts";
import { escapeText } from "../core/escape.ts";
import { nearest } from "../core/options.ts";
import { cell, columns } from "./show/columns.ts";

/** What the prompt's own commands act on. */
export interface CommandContext {
  /** Leaves the prompt. */
  leave(): void;
  /** Runs the statements of a file's text, printing their results. */
  runText(text: string): Promise<void>;
  /** The script that replays the session. */
  savedScript(): Promise<string>;
}

/** A command of the prompt itself, told from JavaScript by the dot in front. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly purpose: string;
  /** Runs it and returns what is to be printed. */
  run(context: CommandContext, argument: string): Promise<string | void> | string | void;
}

/** The commands. */
export const COMMANDS: readonly Command[] = [
  {
    name: ".help",
    usage: ".help",
    purpose: "list these commands; help() lists the helpers",
    run: () => columns(COMMANDS.map(({ usage, purpose }) => [cell(usage), cell(purpose)])),
  },
  {
    name: ".exit",
    usage: ".exit",
    purpose: "leave, as exit, quit and Ctrl-D do",
    run(context) {
      context.leave();
    },
  },
  {
    name: ".save",
    usage: ".save [FILE]",
    purpose: "write the session as a script that replays it; without FILE, print it",
    async run(context, file) {
      const script = await context.savedScript();
      if (file === "") return script.trimEnd();
      requirePermission("write", file);
      await Deno.writeTextFile(file, script);
      return `Saved: deno run ${escapeText(file)} replays it`;
    },
  },
  {
    name: ".load",
    usage: ".load FILE",
    purpose: "run the statements of a file, such as one that .save wrote",
    async run(context, file) {
      if (file === "") throw new InvalidArgumentError("Missing file: .load FILE", file);
      requirePermission("read", file);
      await context.runText(await readScript(file));
    },
  },
];

/** What other prompts have for `.exit`. */
const LEAVING = /^(exit|quit|q)\s*(\(\s*\))?;?$/;

/**
 * The command that a line is, if it is one: `.5` and `.map(…)` on a line of its own are not.
 *
 * @param isVariable tells whether a name is taken: `q` may be a variable
 */
export function commandIn(line: string, isVariable: (name: string) => boolean): string | undefined {
  const trimmed = line.trim();
  if (/^\.[a-z]+(\s|$)/.test(trimmed)) return trimmed;
  const [, name] = LEAVING.exec(trimmed) ?? [];
  return name !== undefined && !isVariable(name) ? ".exit" : undefined;
}

/**
 * Runs a command.
 *
 * @throws {InvalidArgumentError} if there is no such command, or it cannot be used so
 */
export async function runCommandLine(line: string, context: CommandContext): Promise<string> {
  const [, name, argument] = /^(\.[a-z]+)\s*(.*?)\s*$/.exec(line)!;
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (!command) {
    const names = COMMANDS.map((known) => known.name);
    const meant = nearest(name!, names);
    const hint = meant === null ? `there are ${names.join(", ")}` : `did you mean ${meant}?`;
    throw new InvalidArgumentError(`No command ${name}: ${hint}`, line);
  }
  return await command.run(context, argument!) ?? "";
}

/** Nothing is ever asked for at a prompt: a missing permission is named instead. */
function requirePermission(name: "read" | "write", path: string): void {
  if (Deno.permissions.querySync({ name, path }).state === "granted") return;
  throw new InvalidArgumentError(
    `No permission to ${name} ${path}: start with --allow-${name}=${path}`,
    path,
  );
}

async function readScript(file: string): Promise<string> {
  const { readRegularFile } = await import("../core/regular_file.ts");
  return new TextDecoder().decode(await readRegularFile(file, MAX_SCRIPT_BYTES));
}

/** More than anybody types. */
const MAX_SCRIPT_BYTES = 2 ** 24;
