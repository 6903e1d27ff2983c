import { styleForStdout } from "../report/style.ts";
import type { Session } from "../session/session.ts";
import { GuestLink } from "./guest_link.ts";
import { Repl } from "./repl.ts";
import { writeOut } from "./terminal/write.ts";

/**
 * Runs lines as a prompt does and prints their results: what `.save` writes uses it where a script
 * cannot do what the prompt did.
 *
 * @throws whatever a line throws; those before it have run
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { replay } from "@pagewalk/pagewalk/repl";
 *
 * await using session = await connect("sim:");
 * await replay(session, ["[0x7f1234567000].filter((va) => walk(va).outcome === 'mapped').length"]);
 * ```
 */
export async function replay(session: Session, lines: readonly string[]): Promise<void> {
  const repl = new Repl({
    guest: new GuestLink({ session, open: () => Promise.resolve(session) }),
    style: styleForStdout(),
    colours: Deno.stdout.isTerminal() && !Deno.noColor,
    isSimulated: session.endpoint.startsWith("sim:"),
    write: writeOut,
  });
  const { signal } = new AbortController();
  for (const line of lines) {
    const parsed = repl.parse(line);
    if (parsed.kind === "incomplete") throw parsed.error;
    await repl.run(parsed, signal);
  }
}
