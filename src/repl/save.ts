import { escapeForString, escapeMessage } from "../core/escape.ts";
import type { RunLine } from "./evaluate/evaluator.ts";
import { toScript } from "./evaluate/script.ts";
import type { EntryNames } from "./sdk.ts";
import { parseEndpoint, permissionFor } from "../connectors/registry.ts";

/** What a saved script needs to know besides the lines. */
export interface SaveOptions {
  /** What the session is connected to. */
  readonly endpoint: string;
  /** The names of the helpers. */
  readonly helpers: readonly string[];
  /** What the package's entries export, the SDK's first. */
  readonly entries: readonly EntryNames[];
}

/** Where the modules are that a saved script imports: in a checkout, or wherever they came from. */
const SDK = import.meta.resolve("../../mod.ts");
const REPL = import.meta.resolve("./mod.ts");

/**
 * Writes a session's lines as a script like those in `examples/`: it connects, replays the lines that
 * did not throw, and prints their results.
 */
export function savedScript(lines: readonly RunLine[], options: SaveOptions): string {
  const body = toScript(lines);
  if (!body) return replayingScript(lines, options);
  const { text, identifiers } = body;
  const helpers = options.helpers.filter((name) => name === "print" || identifiers.has(name));
  // A helper of the same name goes before it.
  const connect = helpers.includes("connect") ? "connect as connectTo" : "connect";
  const imports = options.entries.map(({ module, names }) => ({
    module,
    names: [
      ...module === SDK ? [connect] : [],
      ...names.filter((name) =>
        identifiers.has(name) && !helpers.includes(name) && name !== "connect"
      ),
    ],
  }));
  return [
    ...head(options),
    ...imports.filter(({ names }) => names.length > 0)
      .map(({ module, names }) => `import { ${names.join(", ")} } from "${module}";`),
    `import { replHelpers } from "${REPL}";`,
    "",
    connecting(options, connect.split(" ").at(-1)!),
    `const { ${helpers.join(", ")} } = replHelpers(session);`,
    ...identifiers.has("pagewalk") ? namespace(options) : [],
    "",
    text,
    "",
  ].join("\n");
}

/** `pagewalk` as the prompt has it: what all entries export. */
function namespace({ entries }: SaveOptions): string[] {
  const parts = entries.map(({ module }) => `  ...await import("${module}"),`);
  return ["const pagewalk = {", ...parts, "};"];
}

/**
 * The same for lines that only a prompt can run: they wait within functions that JavaScript calls back,
 * or calculate with more bits than its numbers have.
 */
function replayingScript(lines: readonly RunLine[], options: SaveOptions): string {
  return [
    ...head(options),
    `import { connect } from "${SDK}";`,
    `import { replay } from "${REPL}";`,
    "",
    connecting(options, "connect"),
    "await replay(session, [",
    ...lines.map(({ analysis }) => `  ${JSON.stringify(analysis.source)},`),
    "]);",
    "",
  ].join("\n");
}

function head({ endpoint }: SaveOptions): string[] {
  // It stands in a comment, which must not end there.
  const permission = escapeMessage(permissionFor(parseEndpoint(endpoint)))
    .replaceAll("*/", "*\\/");
  return [
    "/**",
    " * Saved from a pagewalk prompt.",
    " *",
    ` *     ${["deno run", permission, "FILE"].filter((part) => part !== "").join(" ")}`,
    " */",
  ];
}

function connecting({ endpoint }: SaveOptions, connect: string): string {
  return `await using session = await ${connect}("${escapeForString(endpoint, '"')}");`;
}
