/**
 * The command `pagewalk`: every script of this package under one name.
 *
 *     deno install -g --allow-net=127.0.0.1 -n pagewalk jsr:@pagewalk/pagewalk/pagewalk
 *     pagewalk verify 1334 0x7f1234567000 --comm target
 *
 * A subcommand runs when its module is loaded; nothing else is loaded before, so that it starts as quickly as
 * its script.
 *
 * @module
 */
import { callAs } from "../cli/command.ts";
import { COMMANDS } from "./commands.ts";

const [first, ...rest] = Deno.args;
const asksHelp = first === "help" && rest.length > 0;
const name = asksHelp ? rest[0] : first;
const args = asksHelp ? ["--help"] : rest;
const command = COMMANDS.find((each) => each.name === name);

if (command !== undefined) {
  callAs({ args, program: `pagewalk ${command.name}` });
  if ("own" in command) await (await command.own()).run();
  else await command.load();
} else if (name === "--version" || name === "-V") {
  const { VERSION } = await import("./version.ts");
  console.log(`pagewalk ${VERSION} (deno ${Deno.version.deno})`);
} else if (name === undefined || ["help", "--help", "-h"].includes(name)) {
  const { helpText } = await import("./help.ts");
  if (name === undefined) Deno.exitCode = 3;
  (name === undefined ? console.error : console.log)(await helpText());
} else {
  const { unknownCommand } = await import("./unknown_command.ts");
  console.error(unknownCommand(name, args));
  console.error("Try: pagewalk --help");
  Deno.exitCode = 3;
}
