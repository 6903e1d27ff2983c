import { escapeText } from "../core/escape.ts";
import { nearest } from "../core/options.ts";
import { COMMANDS } from "./commands.ts";

/** Says that a command does not exist, and which was probably meant. */
export function unknownCommand(typed: string, rest: readonly string[]): string {
  const said = `error: Unknown command ${escapeText(typed)}`;
  if (/^\d+$|:/.test(typed)) {
    const words = ["pagewalk verify", typed, ...rest].map(escapeText).join(" ");
    return `${said}: the command comes first. Did you mean ${words}?`;
  }
  const byName = new Map(COMMANDS.map(({ name }) => [name, name]));
  for (const command of COMMANDS) {
    if (!("script" in command)) continue;
    byName.set(command.script.replace(/\.ts$/, ""), command.name);
  }
  const name = typed.replace(/\.ts$/, "");
  const meant = byName.get(name) ?? byName.get(nearest(name, [...byName.keys()]) ?? "");
  return meant === undefined ? said : `${said}: did you mean ${meant}?`;
}
