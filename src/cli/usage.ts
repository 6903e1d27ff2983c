import { parseEndpoint, permissionFor } from "../connectors/registry.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { Endpoint } from "../monitor/endpoint.ts";
import { type CommandSpec, positionalAt } from "./command_spec.ts";
import type { OptionSpecs } from "./options.ts";

/**
 * Writes the usage text of a command: what `--help` prints. A script is called by `deno run` with its
 * permissions; a subcommand by what is typed for it, and its permissions have a line of their own.
 */
export function usageText(
  spec: CommandSpec<OptionSpecs>,
  program: string | null = null,
): string {
  const places = spec.positionals.map(({ name, optional, repeated }) => {
    const place = repeated ? `${name}…` : name;
    return optional ? `[${place}]` : `<${place}>`;
  });
  const run = (line: string) => {
    if (program !== null) return program;
    return ["deno run", permissionsOf(spec, line), spec.name].filter((word) => word !== "").join(
      " ",
    );
  };
  return [
    `${spec.purpose}.`,
    `Usage: ${[run(spec.examples[0] ?? ""), ...places].join(" ")} [options]`,
    columns(spec.positionals.map(({ name, purpose }) => [`<${name}>`, purpose])),
    columns([
      ...Object.entries(spec.options).map(([name, option]) => [
        option.kind === "flag" ? `--${name}` : `--${name} ${option.placeholder}`,
        option.purpose,
      ]),
      ["--help", "print this text"],
    ]),
    columns(exitRows(spec)),
    `Examples:\n${spec.examples.map((line) => `  ${run(line)} ${line}`.trimEnd()).join("\n")}`,
    program === null
      ? ""
      : `Permissions, given to deno install or deno run: ${
        permissionsOf(spec, spec.examples[0] ?? "") || "none"
      }`,
  ].filter((block) => block !== "").join("\n\n");
}

/** The flags of `deno run` that a command line takes. */
export function permissionsOf(spec: CommandSpec<OptionSpecs>, line: string): string {
  return [connecting(spec, line), spec.permissions ?? ""].filter((word) => word !== "").join(" ");
}

/** The flags that a command line's endpoints take. */
function connecting({ positionals }: CommandSpec<OptionSpecs>, line: string): string {
  const [before = ""] = line.split(/ -/);
  const words = before.split(" ").filter((word) => word !== "");
  const named = words.filter((_, i) => positionalAt(positionals, i, words.length)?.isEndpoint);
  // Endpoints in a file are not known here.
  if (named.length === 0 && positionals.some((each) => each.isEndpoint && each.repeated)) {
    return "--allow-net";
  }
  return permissionFor(...named.flatMap(endpointIn));
}

/** A snapshot's file may stand where an endpoint may. */
function endpointIn(word: string): Endpoint[] {
  try {
    return [parseEndpoint(word)];
  } catch (error) {
    if (error instanceof InvalidArgumentError) return [];
    throw error;
  }
}

function exitRows(spec: CommandSpec<OptionSpecs>): string[][] {
  const exits = { 0: "as expected", ...spec.exits, 3: "error: see the message" };
  return Object.entries(exits).map(([code, meaning]) => [`exit ${code}`, meaning]);
}

function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left!.length));
  return rows.map(([left, right]) => `  ${left!.padEnd(width)}  ${right}`).join("\n");
}
