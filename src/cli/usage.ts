import { parseEndpoint, permissionFor } from "../connectors/registry.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { Endpoint } from "../monitor/endpoint.ts";
import { type CommandSpec, positionalAt } from "./command_spec.ts";
import { dashed, type OptionSpecs } from "./options.ts";

/**
 * Writes the usage text of a command: what `--help` prints. A script is called by `deno run` with its
 * permissions; a subcommand by what is typed for it, and its permissions have a line of their own.
 */
export function usageText(
  spec: CommandSpec<OptionSpecs>,
  program: string | null = null,
  width: number = USUAL_WIDTH,
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
    columns(spec.positionals.map(({ name, purpose }) => [`<${name}>`, purpose]), width),
    columns([
      ...Object.entries(spec.options).map(([name, option]) => [
        option.kind === "flag" ? dashed(name) : `${dashed(name)} ${option.placeholder}`,
        option.purpose,
      ]),
      ["--help", "print this text"],
    ], width),
    columns(exitRows(spec), width),
    ...(spec.notes ?? []).map((note) => wrapped(note, width).join("\n")),
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

/** How many columns help has where it is not written to a terminal. */
const USUAL_WIDTH = 100;

/** The lines of a paragraph, none longer than so many columns but one of a single word. */
function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) === "" ? word : `${lines.at(-1)} ${word}`;
    if (longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.filter((line) => line !== "");
}

function exitRows(spec: CommandSpec<OptionSpecs>): string[][] {
  const exits = { 0: "as expected", ...spec.exits, 3: "error: see the message" };
  return Object.entries(exits).map(([code, meaning]) => [`exit ${code}`, meaning]);
}

/** Two columns; on a narrow terminal the right one stands below the left. */
function columns(rows: readonly (readonly string[])[], width: number): string {
  const left = Math.max(0, ...rows.map(([name]) => name!.length));
  const indent = left + 4 <= width / 2 ? left + 4 : 6;
  return rows.flatMap(([name, purpose]) => {
    const [first = "", ...others] = wrapped(purpose!, Math.max(width - indent, 20));
    const head = `  ${name}`;
    const below = [first, ...others].map((line) => `${" ".repeat(indent)}${line}`);
    if (head.length + 2 > indent) return [head, ...below];
    return [`${head.padEnd(indent)}${first}`, ...below.slice(1)];
  }).join("\n");
}
