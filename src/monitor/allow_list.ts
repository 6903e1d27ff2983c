import { InvalidArgumentError } from "../core/errors.ts";
import { CommandRefusedError } from "./errors.ts";

/** One monitor command, and why it may or may not be sent. */
export interface CommandRule {
  /** The command's name, or `info NAME`. */
  name: string;
  /** Why it is allowed or refused. */
  reason: string;
  /** The only form of the whole line that is allowed. */
  form?: RegExp;
}

/** The commands that change nothing in the guest. Only these are sent unasked. */
export const READ_ONLY_COMMANDS: readonly CommandRule[] = [
  { name: "info", reason: "prints state; what is refused below it is listed apart" },
  { name: "xp", reason: "dumps physical memory" },
  { name: "x", reason: "dumps memory by virtual address" },
  { name: "gva2gpa", reason: "translates a virtual address" },
  { name: "gpa2hva", reason: "names the host address behind a physical one" },
  { name: "help", reason: "prints the commands" },
  { name: "?", reason: "is another name of help" },
  { name: "print", reason: "evaluates an expression" },
  { name: "p", reason: "is another name of print" },
  {
    name: "qom-get",
    reason: "reads a property; only phys-bits, as reading others may do more than read",
    form: /^qom-get \/[A-Za-z0-9_./[\]-]+ phys-bits$/,
  },
];

/** Commands of a read-only family that are refused all the same. */
export const REFUSED_COMMANDS: readonly CommandRule[] = [
  {
    name: "info mem",
    reason: "with 5-level paging it blocks QEMU for half a minute and prints nothing",
  },
  {
    name: "info tlb",
    reason: "page tables that contain a loop make QEMU list without end, and then only SIGKILL " +
      "ends it",
  },
];

/** The longest line that QEMU's editor takes, next to the blank that this client types ahead. */
const MAX_LINE_CHARACTERS = 4094;

/** What `checkCommand` needs to know besides the line. */
export interface CheckCommandOptions {
  /** What the monitor is connected to, for the error. */
  endpoint: string;
  /** Names of commands that may be sent although they are not on the read-only list. */
  allowUnsafe?: readonly string[];
}

/**
 * Throws unless a line may be sent: one line of printable ASCII whose command is on the read-only
 * list, or named in `allowUnsafe` (`"stop"`, `"info tlb"`).
 *
 * @throws {InvalidArgumentError} if it is not one line of printable ASCII, or too long
 * @throws {CommandRefusedError} if the command is not allowed
 *
 * @example Usage
 * ```ts
 * import { checkCommand, CommandRefusedError } from "@pagewalk/pagewalk";
 * import { assertThrows } from "@std/assert";
 *
 * const endpoint = "127.0.0.1:1334";
 * checkCommand("info registers", { endpoint });
 * assertThrows(() => checkCommand("stop", { endpoint }), CommandRefusedError);
 * checkCommand("stop", { endpoint, allowUnsafe: ["stop"] });
 * ```
 */
export function checkCommand(line: string, options: CheckCommandOptions): void {
  checkLine(line);
  const { command, full } = commandNames(line);
  if (options.allowUnsafe?.some((name) => name === command || name === full)) return;
  const refused = REFUSED_COMMANDS.find((rule) => rule.name === full);
  if (refused !== undefined) {
    throw refusal(full, `Refused to send "${full}": ${refused.reason}`, line, options);
  }
  const allowed = READ_ONLY_COMMANDS.find((rule) => rule.name === command);
  if (allowed?.form?.test(line) === false) {
    const why =
      `Refused to send "${command}": only "qom-get PATH phys-bits" is on the read-only list`;
    throw refusal(command, why, line, options);
  }
  if (allowed === undefined) {
    const names = READ_ONLY_COMMANDS.map((rule) => rule.name).join(", ");
    const why = `Refused to send "${command}": it is not on the read-only list (${names})`;
    throw refusal(command, why, line, options);
  }
}

function refusal(name: string, why: string, line: string, options: CheckCommandOptions) {
  const message = `${why}; to send it all the same, pass allowUnsafe: ["${name}"]`;
  return new CommandRefusedError(name, message, { endpoint: options.endpoint, command: line });
}

function checkLine(line: string): void {
  // Anything else is an editing key to QEMU's line editor (TAB completes, ^W deletes) or ends the line.
  const bad = /[^\x20-\x7e]/u.exec(line);
  if (bad !== null) {
    throw new InvalidArgumentError(
      `Not a monitor command: ${JSON.stringify(bad[0])} at ${bad.index} is not printable ASCII`,
      line,
    );
  }
  if (line.trim() === "") {
    throw new InvalidArgumentError("Not a monitor command: it is empty", line);
  }
  if (line.length > MAX_LINE_CHARACTERS) {
    throw new InvalidArgumentError(
      `Monitor command too long: ${line.length} characters, QEMU takes ${MAX_LINE_CHARACTERS}`,
      line,
    );
  }
}

/** QEMU ends a command's name at a blank or a slash, as in `xp/2gx` (`get_command_name`, 5.2 to 11.1). */
function commandNames(line: string): { command: string; full: string } {
  const [command = "", second] = line.trim().split(/[ /]+/);
  return {
    command,
    full: command === "info" && second !== undefined ? `info ${second}` : command,
  };
}
