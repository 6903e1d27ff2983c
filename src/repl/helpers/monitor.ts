import { InvalidArgumentError } from "../../core/errors.ts";
import { READ_ONLY_COMMANDS, REFUSED_COMMANDS } from "../../monitor/allow_list.ts";
import type { Helper, HelperContext } from "../helper.ts";

/** `monitor("info …")`. */
export const MONITOR: Helper = {
  name: "monitor",
  usage: 'monitor("info …")',
  purpose: "the text of a read-only command of QEMU's monitor",
  takesText: true,
  notes: ['Tab completes the command. monitor("help info") lists what there is.'],
  example: `
> monitor("info status")
VM status: running
> monitor("stop")
CommandRefusedError: Refused to send "stop": it is not on the read-only list …
`,
  complete: (repl) => monitorCommands(repl),
  create: (repl) => async (line: unknown) => {
    if (typeof line !== "string" || line.trim() === "") {
      throw new InvalidArgumentError(
        'monitor needs a command as text: monitor("info registers"); monitor("help info") lists them',
        line,
      );
    }
    return await repl.guest.use((session) =>
      session.monitor.command(line, { signal: repl.signal })
    );
  },
};

const known = new WeakMap<object, Promise<readonly string[]>>();

/** The commands that may be sent to this QEMU; it is asked once a connection. */
async function monitorCommands({ guest }: HelperContext): Promise<readonly string[]> {
  const session = await guest.session();
  let commands = known.get(session);
  if (!commands) {
    commands = session.monitor.command("help info").then((text) => [
      ...infoCommands(text),
      ...READ_ONLY_COMMANDS.map(({ name }) => name).filter((name) => name !== "info"),
    ]);
    known.set(session, commands);
  }
  return await commands;
}

/** The first words of each line of `help info`: `info registers [-a|vcpu] -- show the …`. */
function infoCommands(text: string): string[] {
  const names = text.split("\n").map((line) => /^info [\w-]+/.exec(line)?.[0]);
  const refused = new Set(REFUSED_COMMANDS.map(({ name }) => name));
  return names.filter((name) => name !== undefined && !refused.has(name)) as string[];
}
