import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/pagewalk/commands.ts";
import { CORE_ENTRIES } from "../tasks/bundle_command.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);

Deno.test("every script is one subcommand of pagewalk", async () => {
  const files = (await Array.fromAsync(Deno.readDir(EXAMPLES))).map(({ name }) => name);
  const rows = COMMANDS.flatMap((command) => "script" in command ? [command.script] : []);
  const message = "a new script takes a row in src/pagewalk/commands.ts";
  assertEquals(rows.toSorted(), [...files, "repl.ts"].toSorted(), message);
  const names = COMMANDS.map(({ name }) => name);
  assertEquals(names.length, new Set(names).size, "a name is given twice");
});

Deno.test("what the bundled command starts with is there", async () => {
  for (const path of CORE_ENTRIES) await Deno.stat(new URL(`../${path}`, EXAMPLES));
});
