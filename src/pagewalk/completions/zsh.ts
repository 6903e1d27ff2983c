import { dashed } from "../../cli/options.ts";
import type { CompletedCommand, CompletedOption } from "./completed_command.ts";

/** The completion script for zsh: to be sourced, or found in `$fpath` as `_pagewalk`. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const rows = commands.map(({ name, purpose }) => `    ${quoted(`${name}:${purpose}`)}`);
  return `#compdef pagewalk
# zsh completion for pagewalk
_pagewalk() {
  local -a commands=(
${rows.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${commands.map(caseOf).join("\n")}
  esac
}
if [[ $funcstack[1] == _pagewalk ]]; then _pagewalk "$@"; else compdef _pagewalk pagewalk; fi`;
}

function caseOf({ name, options, words }: CompletedCommand): string {
  const first = words.length > 0 ? [quoted(`1:argument:(${words.join(" ")})`)] : [];
  const specs = [...options.map(optionSpec), ...first, quoted("*:argument:_files")];
  return `    ${name})\n      _arguments -S \\\n        ${specs.join(" \\\n        ")} ;;`;
}

function optionSpec({ name, purpose, value, placeholder }: CompletedOption): string {
  const said = `[${purpose.replaceAll(/[[\]]/g, "\\$&")}]`;
  if (value === "none") return quoted(`${dashed(name)}${said}`);
  const action = value === "file" ? "_files" : value === "any" ? " " : `(${value.join(" ")})`;
  return quoted(
    `${dashed(name)}${name.length === 1 ? "+" : "="}${said}:${
      placeholder.replaceAll(":", "\\:")
    }:${action}`,
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
