import { describeCommands } from "./describe.ts";
import { GROUPS } from "./commands.ts";
import { VERSION } from "./version.ts";

/** Returns what `pagewalk --help` prints. */
export async function helpText(): Promise<string> {
  const commands = await describeCommands();
  const width = Math.max(...commands.map(({ name }) => name.length));
  const groups = Object.entries(GROUPS).map(([group, heading]) => {
    const rows = commands.filter((command) => command.group === group);
    return `${heading}:\n${
      rows.map(({ name, spec }) => `  ${name.padEnd(width)}  ${spec.purpose}`).join("\n")
    }`;
  });
  return [
    `pagewalk ${VERSION}: read a running QEMU guest's page tables through its monitor.`,
    "Usage: pagewalk <command> [arguments] [options]",
    ...groups,
    "pagewalk <command> --help shows arguments, options, exit codes, examples and permissions.\n" +
    "pagewalk --version prints the version.",
    "pagewalk has the permissions that it was installed with (deno install -g) or is run with:\n" +
    "--allow-net=127.0.0.1 reaches monitors on this machine; what else a command needs is in its\n" +
    "help, and the error message names the flag that is missing.",
  ].join("\n\n");
}
