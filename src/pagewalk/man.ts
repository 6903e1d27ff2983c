/** `pagewalk man`: the manual page, from what each command says of itself. */
import type { CommandSpec } from "../cli/command_spec.ts";
import { runCommand } from "../cli/command.ts";
import { dashed, type OptionSpecs } from "../cli/options.ts";
import { permissionsOf } from "../cli/usage.ts";
import { GROUPS } from "./commands.ts";
import { describeCommands, type DescribedCommand } from "./describe.ts";
import { bold, roff, tagged } from "./roff.ts";
import { VERSION } from "./version.ts";

/** What the command is. */
export const spec: CommandSpec<OptionSpecs> = {
  name: "pagewalk man",
  purpose: "Print the manual page",
  positionals: [],
  options: {},
  examples: ["> pagewalk.1 && man ./pagewalk.1"],
};

/** Runs it. */
export function run(): Promise<void> {
  return runCommand(spec, async () => console.log(manPage(await describeCommands())));
}

/** An option that so many commands have is described once. */
const SHARED_BY = 3;

function manPage(commands: readonly DescribedCommand[]): string {
  const rows = new Map<string, { row: string; count: number }>();
  for (const { spec } of commands) {
    for (const row of optionRows(spec)) {
      rows.set(row, { row, count: (rows.get(row)?.count ?? 0) + 1 });
    }
  }
  const isShared = (row: string) => rows.get(row)!.count >= SHARED_BY;
  return [
    `.TH PAGEWALK 1 "" "pagewalk ${VERSION}" "User Commands"`,
    ".SH NAME",
    roff("pagewalk - read a running QEMU guest's page tables through its monitor"),
    ".SH SYNOPSIS",
    `${bold("pagewalk")} ${roff("command [arguments] [options]")}`,
    ".SH DESCRIPTION",
    roff(
      "Reads registers and memory of a guest through its monitor, walks its page tables, and says what " +
        "they allow. It never changes the guest, and pauses it only if asked to.",
    ),
    ...Object.entries(GROUPS).flatMap(([group, heading]) => [
      `.SH ${roff(heading.toUpperCase())}`,
      ...commands.filter((command) => command.group === group)
        .flatMap((command) => section(command, isShared)),
    ]),
    ".SH SHARED OPTIONS",
    ...[...rows.values()].filter(({ count }) => count >= SHARED_BY).map(({ row }) => row),
    ".SH EXIT STATUS",
    ...tagged("0", "as expected"),
    ...tagged("1", "not as expected, or what the command's own section says"),
    ...tagged("2", "no verdict: no page is mapped there, or it could not be judged"),
    ...tagged("3", "error: see the message"),
  ].join("\n");
}

function section(
  { name, spec }: DescribedCommand,
  isShared: (row: string) => boolean,
): string[] {
  const places = spec.positionals.map(({ name, optional, repeated }) => {
    const place = repeated ? `${name}…` : name;
    return optional ? `[${place}]` : `<${place}>`;
  });
  const rows = optionRows(spec);
  const shared = Object.keys(spec.options).filter((_, i) => isShared(rows[i]!));
  const permissions = permissionsOf(spec, spec.examples[0] ?? "");
  return [
    `.SS ${roff(name)}`,
    roff(`${spec.purpose}.`),
    ".PP",
    `${bold(`pagewalk ${name}`)} ${roff([...places, "[options]"].join(" "))}`,
    ...spec.positionals.flatMap(({ name, purpose }) => tagged(`<${name}>`, purpose)),
    ...rows.filter((row) => !isShared(row)),
    ...shared.length === 0 ? [] : [
      ".PP",
      roff(`Shared options: ${shared.map(dashed).join(", ")}.`),
    ],
    ...Object.entries(spec.exits ?? {}).flatMap(([code, meaning]) =>
      tagged(`exit ${code}`, meaning)
    ),
    ...(spec.notes ?? []).flatMap((note) => [".PP", roff(note)]),
    ...permissions === "" ? [] : [".PP", roff(`Permissions: ${permissions}`)],
    ".PP",
    "Examples:",
    ".EX",
    ...spec.examples.map((line) => roff(`pagewalk ${name} ${line}`.trimEnd())),
    ".EE",
  ];
}

function optionRows({ options }: CommandSpec<OptionSpecs>): string[] {
  return Object.entries(options).map(([name, option]) => {
    const left = option.kind === "flag" ? dashed(name) : `${dashed(name)} ${option.placeholder}`;
    return tagged(left, option.purpose).join("\n");
  });
}
