/** `pagewalk completions`: what a shell sources, so that Tab knows the commands and their options. */
import type { CommandSpec } from "../../cli/command_spec.ts";
import { runCommand } from "../../cli/command.ts";
import type { OptionSpecs } from "../../cli/options.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { CompletedCommand } from "./completed_command.ts";
import { completedCommands } from "./completed_command.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

const SHELLS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** What the command is. */
export const spec: CommandSpec<OptionSpecs> = {
  name: "pagewalk completions",
  purpose: "Print the completion script of a shell",
  positionals: [{
    name: "shell",
    purpose: Object.keys(SHELLS).join(", "),
    words: Object.keys(SHELLS),
  }],
  options: {},
  examples: [
    "bash > ~/.local/share/bash-completion/completions/pagewalk",
    "zsh > ~/.zfunc/_pagewalk   # a folder of $fpath, before compinit",
    "fish > ~/.config/fish/completions/pagewalk.fish",
  ],
};

/** Runs it. */
export function run(): Promise<void> {
  return runCommand(spec, async ({ positionals: [shell] }) => {
    const script = Object.hasOwn(SHELLS, shell!) ? SHELLS[shell!] : undefined;
    if (script === undefined) {
      const known = Object.keys(SHELLS).join(", ");
      throw new InvalidArgumentError(`No completion for ${shell}: the shells are ${known}`, shell);
    }
    console.log(script(await completedCommands()));
  });
}
