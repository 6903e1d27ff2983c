import type { Node, Pattern } from "acorn";

/** Returns the names that a declaration's pattern binds, from left to right. */
export function namesIn(pattern: Pattern): string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((property) =>
        namesIn(property.type === "Property" ? property.value : property.argument)
      );
    case "ArrayPattern":
      return pattern.elements.flatMap((element) => element ? namesIn(element) : []);
    case "RestElement":
      return namesIn(pattern.argument);
    case "AssignmentPattern":
      return namesIn(pattern.left);
    default:
      return [];
  }
}

/** Says whether a statement may be preceded by a semicolon where it stands. */
export function standsInList(parent: Node | undefined): boolean {
  return parent !== undefined &&
    ["Program", "BlockStatement", "SwitchCase", "StaticBlock"].includes(parent.type);
}
