import type * as ast from "acorn";
import type { Analysis, Finding } from "./analyse.ts";
import { Edits } from "./_edits.ts";

/** The name by which rewritten code reaches the prompt. */
export const RUNTIME = "__repl";
/** The name of the object that holds the prompt's variables. */
export const SCOPE = "__scope";

/**
 * Writes a line as the source of an async function of ({@linkcode RUNTIME}, {@linkcode SCOPE}) that
 * returns the line's value: declarations become assignments to the scope, and what the prompt does for
 * the user (awaiting, mixing bigints) becomes calls. Lines stay where they are, for stack traces.
 */
export function toFunction(analysis: Analysis, name: string): string {
  const edits = new Edits();
  let hoisted = "";
  for (const finding of analysis.findings) hoisted += rewrite(finding, edits, analysis);
  return `(async function (${RUNTIME}, ${SCOPE}) { with (${SCOPE}) { ${hoisted}` +
    `${edits.apply(analysis.source)}\n} })\n//# sourceURL=${name}`;
}

/** Makes the edits for one finding and returns what must run before the rest of the line. */
function rewrite(finding: Finding, edits: Edits, { source }: Analysis): string {
  const { node } = finding;
  switch (finding.kind) {
    case "bigLiteral":
      edits.after(node.end, "n");
      break;
    case "arithmetic": {
      const { site, operator } = finding;
      const symbol = JSON.stringify(finding.node.operator);
      edits.around(node, `${RUNTIME}.calculate(${site}, ${symbol}, `, ")");
      edits.replace(operator.start, operator.end, ",");
      break;
    }
    case "arithmeticAssignment": {
      const { site, operator } = finding;
      const { left, right } = finding.node;
      const symbol = JSON.stringify(finding.node.operator.slice(0, -1));
      const variable = source.slice(left.start, left.end);
      edits.replace(
        operator.start,
        operator.end,
        `= ${RUNTIME}.calculate(${site}, ${symbol}, ${variable},`,
      );
      edits.after(right.end, ")");
      break;
    }
    case "awaited":
      edits.around(node, `(await ${RUNTIME}.settle(${finding.site}, `, "))");
      break;
    case "forOf":
      edits.after(node.start + "for".length, " await");
      break;
    case "dynamicImport":
      edits.replace(node.start, node.start + "import".length, `${RUNTIME}.import`);
      break;
    case "variables":
      rewriteVariables(finding.node, finding.place, edits);
      break;
    case "function": {
      const { name } = finding.node.id;
      return `${SCOPE}.${name} = ${name}; `;
    }
    case "class":
      edits.before(node.start, `;${finding.node.id.name} = `);
      edits.after(node.end, ";");
      break;
    case "import":
      edits.replace(node.start, node.end, importAsAssignment(finding.node, source));
      break;
    case "export":
      edits.replace(node.start, finding.node.declaration!.start, "");
      break;
    case "result":
      edits.before(node.start, "return (");
      edits.after(finding.node.expression.end, ")");
      break;
    case "implicit":
      break;
  }
  return "";
}

/** `const {a} = x, b` becomes `;({a} = x), (b = undefined)`. */
function rewriteVariables(
  { start, kind, declarations }: ast.VariableDeclaration,
  place: "list" | "lone" | "head",
  edits: Edits,
): void {
  const first = declarations[0]!;
  const isLoopVariable = place === "head" && declarations.length === 1 && !first.init;
  edits.replace(start, first.id.start, place === "list" ? ";" : "");
  if (isLoopVariable) return;
  for (const { id, init } of declarations) {
    edits.before(id.start, "(");
    // `var x;` keeps the value that x has; `let x;` makes it undefined.
    if (!init) {
      edits.after(id.end, kind === "var" && id.type === "Identifier" ? "" : " = undefined");
    }
    edits.after((init ?? id).end, ")");
  }
}

function importAsAssignment(node: ast.ImportDeclaration, source: string): string {
  const from = source.slice(node.source.start, node.source.end);
  const attributes = node.attributes.map(({ start, end }) => source.slice(start, end)).join(", ");
  const options = attributes && `, { with: { ${attributes} } }`;
  const imported = `await ${RUNTIME}.import(${from}${options})`;
  const targets = node.specifiers.map((specifier) => {
    const local = specifier.local.name;
    if (specifier.type === "ImportNamespaceSpecifier") return { namespace: local };
    if (specifier.type === "ImportDefaultSpecifier") return { property: `default: ${local}` };
    const { start, end } = specifier.imported;
    return { property: `${source.slice(start, end)}: ${local}` };
  });
  const properties = targets.flatMap(({ property }) => property ?? []);
  const namespaces = targets.flatMap(({ namespace }) => namespace ?? []);
  const assigned = namespaces.map((name) => `${name} = `).join("") +
    (properties.length > 0 ? `{ ${properties.join(", ")} } = ` : "");
  return `;(${assigned}${imported});`;
}
