import type { CommandSpec } from "./command_spec.ts";
import type { OptionSpecs } from "./options.ts";

/** Writes the usage text of a command: what `--help` prints. */
export function usageText(spec: CommandSpec<OptionSpecs>): string {
  const places = spec.positionals.map(({ name, optional, repeated }) => {
    const place = repeated ? `${name}…` : name;
    return optional ? `[${place}]` : `<${place}>`;
  });
  const run = `deno run ${spec.permissions} ${spec.name}`.replace("  ", " ");
  return [
    `${spec.purpose}.`,
    `Usage: ${[run, ...places].join(" ")} [options]`,
    columns(spec.positionals.map(({ name, purpose }) => [`<${name}>`, purpose])),
    columns([
      ...Object.entries(spec.options).map(([name, option]) => [
        option.kind === "flag" ? `--${name}` : `--${name} ${option.placeholder}`,
        option.purpose,
      ]),
      ["--help", "print this text"],
    ]),
    columns(exitRows(spec)),
    `Examples:\n${spec.examples.map((line) => `  ${run} ${line}`).join("\n")}`,
  ].filter((block) => block !== "").join("\n\n");
}

function exitRows(spec: CommandSpec<OptionSpecs>): string[][] {
  const exits = { 0: "as expected", ...spec.exits, 3: "could not be done: see the error" };
  return Object.entries(exits).map(([code, meaning]) => [`exit ${code}`, meaning]);
}

function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left!.length));
  return rows.map(([left, right]) => `  ${left!.padEnd(width)}  ${right}`).join("\n");
}
