import type * as ast from "acorn";
import type { Analysis, Finding } from "./analyse.ts";
import { Edits } from "./_edits.ts";
import type { Observation, RunLine } from "./evaluator.ts";

/** A script's body, and what it needs around it. */
export interface ScriptBody {
  /** The statements, a line of the session after the other. */
  readonly text: string;
  /** All identifiers it contains. */
  readonly identifiers: ReadonlySet<string>;
}

/**
 * Writes lines that ran as a module: what the prompt did for the user (awaiting, bigints) is spelled
 * out, by what was seen when they ran, and results are printed with `print`.
 */
export function toScript(lines: readonly RunLine[]): ScriptBody {
  const identifiers = new Set(lines.flatMap(({ analysis }) => [...analysis.identifiers]));
  const plan: Plan = {
    repeated: repeatedNames(lines),
    keepsResult: identifiers.has("_"),
    imported: new Set(),
  };
  const statements = lines.map((line) => toStatements(line, plan));
  const results = ["_", "_err"].filter((name) => identifiers.has(name));
  if (results.length > 0) statements.unshift(`let ${results.join(", ")};`);
  return { text: statements.join("\n"), identifiers };
}

/** What must be known of all lines to write one. */
interface Plan {
  /** The names that are declared more than once, which only `var` allows. */
  readonly repeated: ReadonlySet<string>;
  /** Whether some line uses `_`. */
  readonly keepsResult: boolean;
  /** The names that lines written so far import. */
  readonly imported: Set<string>;
}

function repeatedNames(lines: readonly RunLine[]): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { analysis, implicit } of lines) {
    for (const name of [...analysis.declared.map(({ name }) => name), ...implicit]) {
      if (seen.has(name)) repeated.add(name);
      seen.add(name);
    }
  }
  return repeated;
}

function toStatements(line: RunLine, plan: Plan): string {
  const edits = new Edits();
  for (const finding of line.analysis.findings) spellOut(finding, line, plan, edits);
  const { program, source } = line.analysis;
  const last = program.body.at(-1);
  if (last && NEEDS_SEMICOLON.has(last.type) && source[last.end - 1] !== ";") {
    edits.after(last.end, ";");
  }
  return edits.apply(source).trim();
}

const NEEDS_SEMICOLON = new Set(["ExpressionStatement", "VariableDeclaration"]);

function spellOut(finding: Finding, line: RunLine, plan: Plan, edits: Edits): void {
  const { node } = finding;
  switch (finding.kind) {
    case "bigLiteral":
      return edits.after(node.end, "n");
    case "arithmetic":
      return convert(line.observations.get(finding.site), finding.node, edits);
    case "arithmeticAssignment": {
      const { left, right } = finding.node;
      return convert(line.observations.get(finding.site), { left, right }, edits);
    }
    case "awaited":
      return awaitIn(finding, line.observations.get(finding.site), edits);
    case "forOf":
      return edits.after(node.start + "for".length, " await");
    case "variables":
      if (repeats(finding.node.declarations.map(({ id }) => id), line.analysis, plan)) {
        edits.replace(node.start, finding.node.declarations[0]!.id.start, "var ");
      }
      return;
    case "function":
    case "class": {
      const { name } = finding.node.id;
      if (plan.repeated.has(name)) edits.before(node.start, `var ${name} = `);
      return;
    }
    case "import": {
      const names = finding.node.specifiers.map(({ local }) => local.name);
      const isKnown = names.length > 0 && names.every((name) => plan.imported.has(name));
      if (isKnown) edits.replace(node.start, node.end, "");
      for (const name of names) plan.imported.add(name);
      return;
    }
    case "export":
      return edits.replace(node.start, finding.node.declaration!.start, "");
    case "implicit":
      if (line.implicit.includes(finding.name)) edits.before(node.start, "var ");
      return;
    case "result":
      return printResult(finding.node, line, plan, edits);
    case "dynamicImport":
      return;
  }
}

function repeats(patterns: readonly ast.Pattern[], { declared, source }: Analysis, plan: Plan) {
  const texts = patterns.map(({ start, end }) => source.slice(start, end));
  return declared.some(({ name }) =>
    plan.repeated.has(name) && texts.some((text) => text.includes(name))
  );
}

/** An implicit declaration is a statement of its own, which prints nothing in a script. */
function printResult(node: ast.ExpressionStatement, line: RunLine, plan: Plan, edits: Edits): void {
  const declares = line.analysis.findings.some((finding) =>
    finding.kind === "implicit" && finding.node === node && line.implicit.includes(finding.name)
  );
  if (line.result === "none" || declares) return;
  const value = plan.keepsResult ? "_ = " : "";
  if (line.result === "one") edits.around(node.expression, `print(${value}`, ")");
  else edits.around(node.expression, "for await (const item of ", `) print(${value}item)`);
}

function awaitIn(
  { node, place }: Finding & { kind: "awaited" },
  seen: Observation | undefined,
  edits: Edits,
): void {
  if (place === "explicit" || seen !== "promise" && seen !== "promises") return;
  const before = seen === "promises" ? "await Promise.all(" : "await ";
  const after = seen === "promises" ? ")" : "";
  if (place === "whole") edits.around(node, before, after);
  else edits.around(node, `(${before}`, `${after})`);
}

function convert(
  seen: Observation | undefined,
  operands: { left: ast.Node; right: ast.Node },
  edits: Edits,
): void {
  if (seen !== "left" && seen !== "right") return;
  const operand = operands[seen];
  if (operand.type === "Literal") edits.after(operand.end, "n");
  else edits.around(operand, "BigInt(", ")");
}
