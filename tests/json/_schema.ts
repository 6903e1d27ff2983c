import { Ajv2020, type ValidateFunction } from "ajv/2020";
import { assert, assertEquals } from "@std/assert";
import schema from "../../src/pagewalk/output.schema.json" with { type: "json" };

const ajv = new Ajv2020({
  strict: true,
  strictRequired: false,
  strictTypes: false,
  allErrors: true,
});
ajv.addSchema(schema);
const validators = new Map<string, ValidateFunction>();

/** What a script printed on a line; the schema says what that is. */
// deno-lint-ignore no-explicit-any -- a type for each script would say the same again
export type Line = any;

/** Checks that a script printed one object a line, each as the schema has it, and returns them. */
export function checkLines(script: string, stdout: string): Line[] {
  const lines = stdout.split("\n");
  assertEquals(lines.pop(), "", `${script}: the last line ends`);
  return lines.map((line) => checkRecord(script, JSON.parse(line)));
}

/** Checks one object of a script's output, or a part of the schema by its name. */
export function checkRecord(script: string, record: Line): Line {
  const name = script.replace(/\.ts$/, "");
  const reference = `${schema.$id}#/$defs/${name}`;
  const validate = validators.get(name) ?? ajv.getSchema(reference);
  assert(validate, `the schema has nothing for ${script}`);
  validators.set(name, validate);
  assert(
    validate(record),
    `${script}: ${JSON.stringify(record)}\n${ajv.errorsText(validate.errors)}`,
  );
  return record;
}

/** The names of the scripts that the schema describes. */
export function describedScripts(known: readonly string[]): string[] {
  return known.filter((script) => script.replace(/\.ts$/, "") in schema.$defs);
}
