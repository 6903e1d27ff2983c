import { ArgumentError, readArguments } from "./arguments.ts";
import { type CommandContext, type HmpCommand, hmpCommands, infoCommands } from "./commands.ts";
import type { HmpMachine } from "./machine.ts";
import { registerValue } from "./monitor_registers.ts";

/** What a monitor says to one command. */
export interface MonitorAnswer {
  /** What it prints, each line ended by `\n`; empty if it prints nothing. */
  text: string;
  /** True if the machine ends, as after `quit`. */
  quit?: boolean;
}

/**
 * One human monitor of a machine. It keeps what QEMU keeps for each monitor: the current vCPU and
 * the last format of `xp`. How its text travels is not its business.
 */
export class HmpSession {
  readonly #context: CommandContext;
  readonly #commands: readonly HmpCommand[];
  readonly #infos: readonly HmpCommand[];

  /** Opens a monitor whose current vCPU is `cpu`. */
  constructor(machine: HmpMachine, cpu = 0) {
    this.#context = { machine, cpu, format: "x", wordBytes: 4, quit: false };
    this.#commands = hmpCommands(machine.flavour);
    this.#infos = infoCommands(machine.flavour);
  }

  /** Runs one line. Nothing that a line can hold makes it throw. */
  answer(line: string): MonitorAnswer {
    const text = this.#run(line);
    return this.#context.quit ? { text, quit: true } : { text };
  }

  #run(line: string): string {
    const [typed = "", name = ""] = /^\s*([^\s/]*)/.exec(line) ?? [];
    if (line.trim() === "") return "";
    if (name === "help" || name === "?") return this.#help(line.slice(typed.length).trim());
    if (name === "info") return this.#info(line, typed.length);
    const command = find(this.#commands, name);
    if (command === undefined) return unknown(typed);
    return this.#dispatch(command, name, line.slice(typed.length));
  }

  #info(line: string, infoEnd: number): string {
    const rest = line.slice(infoEnd);
    const [typed = "", name = ""] = /^\s*([^\s/]*)/.exec(rest) ?? [];
    if (rest.trim() === "") return this.#help("info");
    const command = find(this.#infos, name);
    if (command === undefined) return unknown(line.slice(0, infoEnd + typed.length));
    return this.#dispatch(command, `info ${name}`, rest.slice(typed.length));
  }

  #dispatch(command: HmpCommand, typedName: string, rest: string): string {
    const context = this.#context;
    const { machine } = context;
    try {
      const args = readArguments(
        command.name,
        command.args,
        rest,
        (name) => registerValue(name, machine.cpuState(context.cpu), machine.flavour),
      );
      return command.run(context, args);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      return `${error.message}Try "help ${typedName}" for more information\n`;
    }
  }

  #help(topic: string): string {
    if (topic === "") {
      return [...this.#commands, HELP, INFO].sort(byName).map((command) => helpLine("", command))
        .join("");
    }
    const [name = "", subcommand] = topic.split(/\s+/);
    if (name === "info") {
      const wanted = subcommand === undefined
        ? this.#infos
        : this.#infos.filter((info) => info.name === subcommand);
      const text = wanted.map((info) => helpLine("info ", info)).join("");
      return text === "" ? unknown(topic) : text;
    }
    const command = find([...this.#commands, HELP], name);
    return command === undefined ? unknown(topic) : helpLine("", command);
  }
}

type HelpEntry = Pick<HmpCommand, "name" | "params" | "help">;

const HELP: HelpEntry = { name: "help|?", params: "[cmd]", help: "show the help" };
const INFO: HelpEntry = {
  name: "info",
  params: "[subcommand]",
  help: "show various information about the system state",
};

function find<C extends HelpEntry>(commands: readonly C[], name: string): C | undefined {
  return commands.find((command) => command.name.split("|").includes(name));
}

function byName(a: HelpEntry, b: HelpEntry): number {
  return a.name < b.name ? -1 : 1;
}

function helpLine(prefix: string, { name, params, help }: HelpEntry): string {
  return `${prefix}${name} ${params} -- ${help}\n`;
}

function unknown(typed: string): string {
  return `unknown command: '${typed}'\n`;
}
