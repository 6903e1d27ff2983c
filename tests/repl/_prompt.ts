import { connect } from "../../mod.ts";
import { PLAIN } from "../../src/report/style.ts";
import { GuestLink } from "../../src/repl/guest_link.ts";
import { Repl } from "../../src/repl/repl.ts";
import type { Session } from "../../src/session/session.ts";

/** A prompt without a terminal: what is entered and what it prints. */
export interface TestPrompt extends AsyncDisposable {
  readonly repl: Repl;
  /** Enters one input and returns what was printed for it. */
  enter(source: string): Promise<string>;
  /** Presses Ctrl-C. */
  interrupt(): void;
  /** What was printed for the input that runs. */
  readonly printed: string;
  /** What the user was told besides. */
  readonly notices: readonly string[];
}

/** What a test prompt starts with. */
export interface TestPromptOptions {
  readonly session?: Session;
  readonly open?: (endpoint?: unknown) => Promise<Session>;
  readonly globals?: object;
}

/** Makes a prompt on the simulated guest, or on a session. */
export function testPrompt(options: TestPromptOptions = {}): TestPrompt {
  const open = options.open ?? ((endpoint: unknown = "sim:") => connect(String(endpoint)));
  const notices: string[] = [];
  const guest = new GuestLink({
    open,
    ...options.session && { session: options.session },
    onNotice: (text) => notices.push(text),
  });
  let printed = "";
  let running = new AbortController();
  const repl = new Repl({
    guest,
    style: PLAIN,
    colours: false,
    isSimulated: !options.session || options.session.endpoint.startsWith("sim:"),
    write: (text) => printed += text,
    ...options.globals && { globals: options.globals },
  });
  return {
    repl,
    notices,
    get printed() {
      return printed;
    },
    async enter(source) {
      printed = "";
      running = new AbortController();
      try {
        const parsed = repl.parse(source);
        if (parsed.kind === "incomplete") throw parsed.error;
        await repl.run(parsed, running.signal);
      } catch (error) {
        if (!running.signal.aborted) printed += `${repl.describeError(error)}\n`;
      }
      return printed;
    },
    interrupt: () => running.abort(new DOMException("Interrupted", "AbortError")),
    [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose](),
  };
}
