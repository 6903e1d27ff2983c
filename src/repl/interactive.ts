import type { Entry, EntryReader } from "./entry.ts";
import type { Style } from "../report/style.ts";
import type { GuestLink } from "./guest_link.ts";
import type { History } from "./history.ts";
import { promptText } from "./prompt_text.ts";
import type { Repl } from "./repl.ts";
import type { ProgressLine } from "./terminal/progress_line.ts";
import { LineEditor } from "./terminal/line_editor.ts";
import { writeOut } from "./terminal/write.ts";

/** What a prompt on a terminal is made of. */
export interface InteractiveOptions {
  readonly guest: GuestLink;
  readonly style: Style;
  /** What stands in front of the prompt: what kind of guest it is. */
  readonly name: string;
  readonly history: History;
  /** Says that a command goes on. */
  readonly progress: ProgressLine;
  /** Loads the part that runs lines. Called when the first prompt stands there already. */
  readonly load: () => Promise<Engine>;
}

/** The part of a prompt that runs lines: loaded late, as it takes longer than all the rest. */
export interface Engine {
  readonly repl: Repl;
  readonly entries: EntryReader;
  readonly commands: typeof import("./commands.ts");
  readonly loading: typeof import("./load.ts");
}

/** Runs a prompt on the terminal until the user leaves. */
export async function runInteractive(options: InteractiveOptions): Promise<void> {
  const session = new InteractiveSession(options);
  try {
    await session.run();
  } finally {
    session.end();
  }
}

class InteractiveSession {
  readonly #options: InteractiveOptions;
  readonly #editor: LineEditor;
  #engine: Promise<Engine> | null = null;
  #running: AbortController | null = null;
  /** True while an entry goes on. */
  #isOpen = false;
  /** What was entered with its earlier lines, and the history before it. */
  #entered = "";
  #before: readonly string[] = [];
  #left = false;

  constructor(options: InteractiveOptions) {
    this.#options = options;
    this.#editor = new LineEditor({
      history: options.history.lines,
      complete: async (text) => {
        const { repl, loading } = await this.#load();
        return await repl.complete(text, this.#isOpen ? [] : loading.COMMAND_NAMES);
      },
      onInterrupt: () => this.#running?.abort(new DOMException("Interrupted", "AbortError")),
    });
    globalThis.addEventListener("unhandledrejection", this.#report);
    globalThis.addEventListener("error", this.#report);
  }

  end(): void {
    globalThis.removeEventListener("unhandledrejection", this.#report);
    globalThis.removeEventListener("error", this.#report);
    this.#editor[Symbol.dispose]();
  }

  /** Prints a notice, above the line that is edited if need be. */
  notice(text: string): void {
    this.#editor.print(`${this.#options.style.faint(text)}\n`);
  }

  async run(): Promise<void> {
    while (!this.#left) {
      const reading = this.#editor.read(this.#prompt());
      // The user reads and types: time to load what will run the line.
      void this.#load();
      const input = await reading;
      switch (input.kind) {
        case "end":
          writeOut("\n");
          return;
        case "interrupt":
          if (input.text === "" && !this.#isOpen) this.notice("Ctrl-D or .exit leaves");
          this.#isOpen = false;
          (await this.#load()).entries.drop();
          break;
        case "line":
          this.#keep(input.text);
          await this.#take(input.text);
      }
    }
  }

  /** Keeps what was entered: an entry of several lines as one, as soon as it is whole. */
  #keep(line: string): void {
    if (!this.#isOpen) this.#before = this.#editor.history.slice(line.trim() === "" ? 0 : 1);
    this.#entered = this.#isOpen ? `${this.#entered}\n${line}` : line;
  }

  /** An entry is whole: it goes on in no other line. */
  #keepEntry(): void {
    const entry = this.#entered;
    if (entry.includes("\n")) this.#editor.joinEntry(entry, this.#before);
    this.#options.history.add(entry);
  }

  async #take(line: string): Promise<void> {
    const { repl, commands, loading, entries } = await this.#load();
    const controller = this.#running = new AbortController();
    try {
      const entry = this.#read(entries, line);
      if (entry.kind === "command") {
        const context = loading.commandContext(repl, {
          signal: () => controller.signal,
          leave: () => this.#left = true,
        });
        const text = await commands.runCommandLine(entry.command, context);
        if (text !== "") writeOut(`${text}\n`);
      } else if (entry.kind === "code" && entry.parsed.source.trim() !== "") {
        this.#options.progress.begin();
        await repl.run(entry.parsed, controller.signal);
      }
    } catch (error) {
      const text = controller.signal.aborted || await wasInterrupted(error, controller.signal)
        ? this.#options.style.faint("Interrupted")
        : repl.describeError(error);
      this.#options.progress.end();
      writeOut(`${text}\n`);
    } finally {
      this.#options.progress.end();
      this.#running = null;
    }
  }

  /** Reads a line, and keeps the entry if it is whole, be it right or wrong. */
  #read(entries: EntryReader, line: string): Entry {
    this.#isOpen = false;
    try {
      const entry = entries.take(line, this.#editor.peekLine());
      this.#isOpen = entry.kind === "open";
      return entry;
    } finally {
      if (!this.#isOpen) this.#keepEntry();
    }
  }

  #prompt(): string {
    const { guest, name, style } = this.#options;
    return this.#isOpen ? style.faint("... ") : promptText(guest, name, style);
  }

  #load(): Promise<Engine> {
    return this.#engine ??= this.#options.load().then((engine) => {
      // The user still types: the SDK's names are there once a line needs them.
      void engine.repl.loadSdk();
      return engine;
    });
  }

  /** What nobody awaits must not end the prompt: a promise of the user's, a timer that throws. */
  readonly #report = (event: PromiseRejectionEvent | ErrorEvent): void => {
    event.preventDefault();
    const error = "reason" in event ? event.reason : event.error;
    void this.#load().then(({ repl }) => this.#editor.print(`${repl.describeError(error)}\n`));
  };
}

/** So long a signal may take that is on its way. */
const SIGNAL_MS = 1000;

/**
 * Code that cannot wait learns of Ctrl-C before the signal is delivered here. It is waited for: later it
 * would be taken for another one, at the prompt.
 */
async function wasInterrupted(error: unknown, signal: AbortSignal): Promise<boolean> {
  if (!(error instanceof DOMException) || error.name !== "AbortError") return false;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, SIGNAL_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
  return true;
}
