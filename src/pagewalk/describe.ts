import type { CommandSpec } from "../cli/command_spec.ts";
import { callAs } from "../cli/command.ts";
import type { OptionSpecs } from "../cli/options.ts";
import { COMMANDS, type GROUPS } from "./commands.ts";

/** A subcommand with all that its help says. */
export interface DescribedCommand {
  /** What is typed after `pagewalk`. */
  readonly name: string;
  /** Under which heading it is listed. */
  readonly group: keyof typeof GROUPS;
  /** What it is. */
  readonly spec: CommandSpec<OptionSpecs>;
}

/** Asks every command what it is, in the order of the table. None can be run afterwards. */
export async function describeCommands(): Promise<DescribedCommand[]> {
  // What says how a guest may be named lists them all.
  await import("../connectors/table.ts");
  const described: DescribedCommand[] = [];
  for (const command of COMMANDS) {
    const { name, group } = command;
    if ("own" in command) {
      described.push({ name, group, spec: (await command.own()).spec });
      continue;
    }
    callAs({ args: [], describe: (spec) => described.push({ name, group, spec }) });
    await command.load();
  }
  return described;
}
