import { dashed } from "../../cli/options.ts";
import type { CompletedCommand } from "./completed_command.ts";

/** The completion script for bash. Where it offers nothing, bash offers files. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const names = [...commands.map(({ name }) => name), "--help", "--version"].join(" ");
  return `# bash completion for pagewalk
_pagewalk() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  local options= words=
  # bash takes "--expect=set" for three words.
  if [[ $current == = ]]; then current=; elif [[ $before == = ]]; then
    before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${names}' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]} $before" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case \${COMP_WORDS[1]} in
${commands.map(optionCase).join("\n")}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif ((COMP_CWORD == 2)); then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -o default -F _pagewalk pagewalk`;
}

/** After an option with a value: its words, or files, or nothing to offer. */
function valueCases({ name, options }: CompletedCommand): string[] {
  return options.flatMap((option) => {
    if (option.value === "none") return [];
    const pattern = `    "${name} --${option.name}")`;
    if (option.value === "file") return [`${pattern} return ;;`];
    if (option.value === "any") return [`${pattern} compopt +o default 2>/dev/null; return ;;`];
    const words = option.value.join(" ");
    return [`${pattern} COMPREPLY=($(compgen -W '${words}' -- "$current")); return ;;`];
  });
}

function optionCase({ name, options, words }: CompletedCommand): string {
  const flags = options.map((option) => dashed(option.name)).join(" ");
  return `    ${name}) options='${flags}' words='${words.join(" ")}' ;;`;
}
