/** `pagewalk schema`: the shapes of what the scripts print with `--json`, as JSON Schema. */
import schema from "./output.schema.json" with { type: "json" };
import { runCommand } from "../cli/command.ts";
import type { CommandSpec } from "../cli/command_spec.ts";
import type { OptionSpecs } from "../cli/options.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { COMMANDS } from "./commands.ts";

/** What the command is. */
export const spec: CommandSpec<OptionSpecs> = {
  name: "pagewalk schema",
  purpose: "Print the JSON Schema of what --json prints, one object per line",
  positionals: [{
    name: "command",
    purpose: "a command such as ps: the schema then describes its lines",
    optional: true,
  }],
  options: {},
  examples: ["> pagewalk.schema.json", "ps"],
};

/** Runs it. */
export function run(): Promise<void> {
  return runCommand(spec, ({ positionals: [wanted] }) => {
    console.log(JSON.stringify(wanted === undefined ? schema : schemaOf(wanted), null, 2));
    return Promise.resolve();
  });
}

/** The commands that print JSON, and their part of the schema: it has their script's name. */
const PARTS: readonly { readonly names: readonly string[]; readonly part: string }[] = COMMANDS
  .flatMap((each) => {
    if (!("script" in each)) return [];
    const part = each.script.replace(/\.ts$/, "");
    return part in schema.$defs ? [{ names: [each.name, each.script], part }] : [];
  });

/** The schema of one command's lines: the whole one, with a reference to its part. */
function schemaOf(wanted: string): Record<string, unknown> {
  const found = PARTS.find(({ names }) => names.includes(wanted));
  if (found === undefined) {
    const names = PARTS.map(({ names: [name] }) => name).join(", ");
    throw new InvalidArgumentError(`"${wanted}" prints no JSON; these do: ${names}`, wanted);
  }
  return { ...schema, $ref: `#/$defs/${found.part}` };
}
