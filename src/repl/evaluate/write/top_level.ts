import type * as ast from "acorn";
import { type Code, code, join } from "../code.ts";
import { namesIn } from "../declared_names.ts";
import { classExpression } from "./functions.ts";
import { ended, valueFor } from "./statements.ts";
import type { Rules, Writer } from "./writer.ts";

/** What stands at the top of a line outlives it: declarations are assignments to the prompt's scope. */
export const TOP_LEVEL: Rules = {
  VariableDeclaration: variables,
  ClassDeclaration: (node: ast.ClassDeclaration, to) =>
    code`${node.id!.name} = ${classExpression(node, to)};`,
  ImportDeclaration: imports,
  ExportNamedDeclaration: (node: ast.ExportNamedDeclaration, to) => to.emit(node.declaration!),
  ExpressionStatement: (node: ast.ExpressionStatement, to, name) =>
    to.analysis.result === node
      ? code`return (${to.emit(node.expression)});`
      : to.below(node, name),
};

/** Statements that run before all others: functions are known from the start. */
export function hoisted(program: ast.Program): Code {
  const declared = (program.body as ast.Node[]).flatMap((node) => {
    const inner = node.type === "ExportNamedDeclaration"
      ? (node as ast.ExportNamedDeclaration).declaration
      : node;
    return inner?.type === "FunctionDeclaration" ? [inner as ast.FunctionDeclaration] : [];
  });
  return join(
    declared.map((node) => code`__w.define(${JSON.stringify(node.id!.name)}, ${node.id!.name}); `),
  );
}

/** `const {a} = x, b` becomes `({a} = x), (b = undefined);`. */
function variables(node: ast.VariableDeclaration, to: Writer): Code {
  const { kind, declarations } = node;
  const place = to.analysis.topLevel.get(node);
  const [first] = declarations;
  if (place === "head" && declarations.length === 1 && !first!.init) return to.emit(first!.id);
  const assignments = declarations.flatMap(({ id, init }) => {
    if (init) return [code`(${to.emit(id)} = ${valueFor(id, init, to)})`];
    // `var x;` keeps the value that x has; `let x;` makes it undefined.
    return kind === "var" ? [] : [join(namesIn(id).map((name) => code`${name} = undefined`), ", ")];
  });
  const written = join(assignments, ", ");
  return place === "head" ? written : ended(written);
}

function imports(node: ast.ImportDeclaration, to: Writer): Code {
  const attributes = node.attributes.map((attribute) => to.text(attribute)).join(", ");
  const options = attributes && `, { with: { ${attributes} } }`;
  const imported = `await __w.import(${to.text(node.source)}${options})`;
  const targets = node.specifiers.map((specifier) => {
    const local = specifier.local.name;
    if (specifier.type === "ImportNamespaceSpecifier") return { namespace: local };
    if (specifier.type === "ImportDefaultSpecifier") return { property: `default: ${local}` };
    return { property: `${to.text(specifier.imported)}: ${local}` };
  });
  const properties = targets.flatMap(({ property }) => property ?? []);
  const namespaces = targets.flatMap(({ namespace }) => namespace ?? []);
  const assigned = namespaces.map((name) => `${name} = `).join("") +
    (properties.length > 0 ? `{ ${properties.join(", ")} } = ` : "");
  return code`(${assigned}${imported});`;
}
