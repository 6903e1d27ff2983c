import type { CompletedCommand, CompletedOption } from "./completed_command.ts";

/** The completion script for fish. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  return [
    "# fish completion for pagewalk",
    ...commands.flatMap(({ name, purpose, options, words }) => [
      `complete -c pagewalk -n __fish_use_subcommand -f -a ${name} -d ${quoted(purpose)}`,
      ...words.length > 0 ? [`${after(name)} -f -a ${quoted(words.join(" "))}`] : [],
      ...options.map((option) => `${after(name)} ${optionOf(option)}`),
    ]),
    "complete -c pagewalk -n __fish_use_subcommand -f -l help -d 'list the commands'",
    "complete -c pagewalk -n __fish_use_subcommand -f -l version -d 'print the version'",
  ].join("\n");
}

function after(command: string): string {
  return `complete -c pagewalk -n ${quoted(`__fish_seen_subcommand_from ${command}`)}`;
}

function optionOf({ name, purpose, value }: CompletedOption): string {
  const said = `${name.length === 1 ? "-s" : "-l"} ${name} -d ${quoted(purpose)}`;
  if (value === "none") return said;
  if (value === "file") return `${said} -r -F`;
  return value === "any" ? `${said} -x` : `${said} -x -a ${quoted(value.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
