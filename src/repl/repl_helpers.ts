import { styleForStdout } from "../report/style.ts";
import type { Session } from "../session/session.ts";
import { makeHelper } from "./globals.ts";
import { GuestLink } from "./guest_link.ts";
import type { HelperContext } from "./helper.ts";
import { HELPERS } from "./helpers/mod.ts";
import { showValue } from "./show/inspect.ts";

/** The functions that a prompt offers, by name. */
export type ReplHelpers = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/**
 * Returns the functions that a prompt offers (`walk`, `xp`, `verify`, `print`, …) for use in a script:
 * what `.save` writes uses them. They act on the session as they do at a prompt.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { replHelpers } from "@pagewalk/pagewalk/repl";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = await connect("sim:");
 * const { translate } = replHelpers(session);
 * assertEquals(await translate!(0x7f1234567000), 0x11008f000n);
 * ```
 */
export function replHelpers(session: Session): ReplHelpers {
  const style = styleForStdout();
  const colours = Deno.stdout.isTerminal() && !Deno.noColor;
  const context: HelperContext = {
    guest: new GuestLink({ session, open: openAnother }),
    signal: new AbortController().signal,
    style,
    helpers: HELPERS,
    isSimulated: session.endpoint.startsWith("sim:"),
    print: (value) => console.log(showValue(value, { style, colours })),
  };
  return Object.fromEntries(HELPERS.map((helper) => [helper.name, makeHelper(helper, context)]));

  async function openAnother(endpoint: unknown = session.endpoint): Promise<Session> {
    const { connect } = await import("../session/connect.ts");
    return await connect(String(endpoint));
  }
}
