import { escapeMessage } from "../core/escape.ts";
import { COLOUR, PLAIN } from "../report/style.ts";
import type { Session } from "../session/session.ts";
import { describeSession } from "./describe_session.ts";
import { GuestLink } from "./guest_link.ts";
import { History } from "./history.ts";
import type { Engine } from "./interactive.ts";
import { promptText } from "./prompt_text.ts";
import { InterruptFlag } from "./terminal/interrupt_flag.ts";
import { ProgressLine } from "./terminal/progress_line.ts";
import { size } from "./terminal/size.ts";
import { takeKeys } from "./terminal/take_keys.ts";
import { writeError, writeOut } from "./terminal/write.ts";

/** What a prompt starts with. */
export interface StartReplOptions {
  /**
   * A session that is open already. It is closed at the end.
   *
   * @default a session with `endpoint`
   */
  readonly session?: Session;
  /**
   * What to connect to: a port, `host:port`, `unix:/path`, or `sim:`.
   *
   * @default {"sim:"}
   */
  readonly endpoint?: string | number;
  /** Connects, the first time, after a connection was lost, and for `connect(endpoint)`. */
  readonly open?: (
    endpoint: string | number,
    onNotice: (text: string) => void,
  ) => Promise<Session>;
  /** More globals, such as helpers of your own; they go before those of the same name. */
  readonly globals?: object;
  /** What is printed first on a terminal; empty for nothing. */
  readonly banner?: string;
  /**
   * Run this instead of what is typed.
   *
   * @default lines from standard input
   */
  readonly code?: string;
  /**
   * A file to keep the lines in that are entered on a terminal. Without permission to read and write
   * it they are remembered until the end.
   */
  readonly historyFile?: string;
}

/**
 * Starts a prompt with the helpers, the SDK and your own globals. On a terminal it runs until the user
 * leaves; in a pipe, until its input ends or a line throws.
 *
 * @returns what the process should exit with: 0, or 1 if a line threw
 * @throws {MonitorError} if the guest cannot be connected to at the start
 *
 * @example Usage
 * ```ts
 * import { startRepl } from "@pagewalk/pagewalk/repl";
 * import { assertEquals } from "@std/assert";
 *
 * const double = (x: number) => 2 * x;
 * assertEquals(await startRepl({ globals: { double }, code: "double(21)" }), 0);
 * ```
 */
export async function startRepl(options: StartReplOptions = {}): Promise<number> {
  const isInteractive = options.code === undefined && Deno.stdin.isTerminal() &&
    Deno.stdout.isTerminal();
  const colours = Deno.stdout.isTerminal() && !Deno.noColor;
  const style = colours ? COLOUR : PLAIN;
  const endpoint = options.session?.endpoint ?? String(options.endpoint ?? "sim:");
  const isSimulated = endpoint.startsWith("sim:");
  const notify = isInteractive ? writeOut : writeError;
  const onNotice = (text: string) => notify(`${style.faint(escapeMessage(text))}\n`);
  await using guest = new GuestLink({
    open: (other) => (options.open ?? connectTo)(other ?? endpoint, onNotice),
    ...options.session && { session: options.session },
    onNotice,
  });
  const { globals } = options;
  using interrupts = new InterruptFlag();
  const progress = new ProgressLine(style.faint);
  const load = async (): Promise<Engine> => {
    const [{ Repl }, commands, loading] = await Promise.all([
      import("./repl.ts"),
      import("./commands.ts"),
      import("./load.ts"),
    ]);
    const write = (text: string) => {
      progress.end();
      writeOut(text);
    };
    const onProgress = (text: string) => progress.note(text);
    const parts = { guest, style, colours, isSimulated, write, onProgress };
    const watch = isInteractive ? interrupts : undefined;
    const columns = () => size().columns;
    const repl = new Repl({ ...parts, ...globals && { globals }, ...watch && { watch, columns } });
    const entries = new loading.EntryReader({
      parse: (source) => repl.parse(source),
      knows: (name) => repl.evaluator.knows(name),
    });
    return { repl, entries, commands, loading };
  };
  if (isInteractive) {
    const name = isSimulated ? "sim" : "pagewalk";
    // The prompt stands there before anything is loaded or connected that takes time. Keys pressed
    // meanwhile wait in the terminal.
    takeKeys(true);
    if (isSimulated) writeOut(`${withNewline(options.banner ?? SIMULATED_BANNER)}`);
    writeOut(promptText(guest, name, style));
    try {
      const connecting = isSimulated ? null : guest.session();
      const [session, { runInteractive }] = await Promise.all([
        connecting,
        import("./interactive.ts"),
      ]).finally(() => writeOut(ERASE_LINE));
      if (session) writeOut(withNewline(options.banner ?? bannerFor(session)));
      const history = History.open(options.historyFile);
      await runInteractive({ guest, style, name, history, progress, load });
    } finally {
      takeKeys(false);
    }
    return 0;
  }
  // A guest that cannot be connected to is not the fault of a line: say so before any is read.
  if (!isSimulated) await guest.session();
  const [{ repl }, { oneInput, runBatch, stdinLines }] = await Promise.all([
    load(),
    import("./batch.ts"),
  ]);
  return await runBatch(repl, options.code === undefined ? stdinLines() : oneInput(options.code));
}

async function connectTo(
  endpoint: string | number,
  onNotice: (text: string) => void,
): Promise<Session> {
  const { connect } = await import("../session/connect.ts");
  return await connect(String(endpoint), { onNotice });
}

// ECMA-48 EL. Erasing the rest of the screen instead would leave a copy in tmux's history.
const ERASE_LINE = "\r\x1b[K";

const SIMULATED_BANNER =
  "No monitor was named, so this is the simulated guest. help() shows a tour, Ctrl-D leaves.";

function bannerFor(session: Session): string {
  const help = "help() lists the helpers, Ctrl-D leaves.";
  const notice = session.notice === null ? "" : `\nNote: ${escapeMessage(session.notice)}`;
  return `${describeSession(session)}. ${help}${notice}`;
}

function withNewline(text: string): string {
  return text === "" ? "" : `${text}\n`;
}
