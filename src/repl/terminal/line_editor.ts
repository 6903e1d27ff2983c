import * as readline from "node:readline";
import { ReverseSearch } from "./reverse_search.ts";
import { KeySource, TerminalOutput } from "./streams.ts";
import { IS_WINDOWS, takeKeys } from "./take_keys.ts";
import { writeOut } from "./write.ts";

/** What the user did at a prompt. */
export type LineInput =
  /** Entered a line. */
  | { readonly kind: "line"; readonly text: string }
  /** Pressed Ctrl-C; `text` is what stood in the line. */
  | { readonly kind: "interrupt"; readonly text: string }
  /** Pressed Ctrl-D on an empty line, or closed the terminal. */
  | { readonly kind: "end" };

/** What can stand at the end of a line: the candidates, and the text that they replace. */
export interface Completion {
  readonly candidates: readonly string[];
  readonly replaces: string;
}

/** What a line editor is given. */
export interface LineEditorOptions {
  /** Earlier lines, the newest first. */
  readonly history: readonly string[];
  /** Completes what stands before the cursor. */
  complete(text: string): Promise<Completion>;
  /** Called when Ctrl-C is pressed while no line is edited. */
  onInterrupt(): void;
}

/** A key as `node:readline` describes it. */
interface Key {
  readonly sequence?: string;
  readonly name?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
}

const HISTORY_LENGTH = 1000;

/**
 * Line editing on a terminal by `node:readline`, and Ctrl-R, which it does not have. The terminal
 * stays in a mode in which Ctrl-C and Ctrl-Z are signals, so that both work while a command runs.
 */
export class LineEditor implements Disposable {
  readonly #options: LineEditorOptions;
  readonly #output = new TerminalOutput();
  readonly #keys = new KeySource();
  readonly #editor: readline.Interface;
  readonly #typedAhead: [text: string | undefined, key: Key][] = [];
  readonly #listeners: [Deno.Signal, () => void][];
  #waiting: ((input: LineInput) => void) | null = null;
  #prompt = "";
  #search: { readonly state: ReverseSearch; readonly before: string } | null = null;
  #isReading = false;
  /** The completion that is looked up, if one is. */
  #completing: object | null = null;

  /** Takes hold of the terminal. */
  constructor(options: LineEditorOptions) {
    this.#options = options;
    this.#editor = readline.createInterface({
      // Keys reach it through `write`, so that Ctrl-R can be told apart before.
      input: new KeySource() as unknown as NodeJS.ReadableStream,
      output: this.#output as unknown as NodeJS.WritableStream,
      terminal: true,
      history: [...options.history],
      historySize: HISTORY_LENGTH,
      completer: (text, callback) => void this.#complete(text, callback),
    });
    this.#editor.on("line", (text: string) => this.#answer({ kind: "line", text }));
    this.#editor.on("close", () => this.#answer({ kind: "end" }));
    readline.emitKeypressEvents(this.#keys as unknown as NodeJS.ReadableStream, this.#editor);
    this.#keys.on("keypress", (text: string | undefined, key: Key) => this.#press(text, key));
    // Where Ctrl-C is a key like any other.
    this.#editor.on("SIGINT", () => this.#interrupt());
    this.#listeners = [
      ["SIGINT", () => this.#interrupt()],
      ["SIGCONT", () => this.#resume()],
      ["SIGWINCH", () => this.#output.emit("resize")],
    ];
    // Windows knows no other signal.
    if (IS_WINDOWS) this.#listeners.length = 1;
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
    takeKeys(true);
  }

  /** The lines entered, the newest first. */
  get history(): readonly string[] {
    return this.#lines;
  }

  get #lines(): string[] {
    return (this.#editor as unknown as { history: string[] }).history;
  }

  /**
   * Puts an entry of several lines instead of its lines, so that it comes back whole.
   *
   * @param before the history before its first line
   */
  joinEntry(entry: string, before: readonly string[]): void {
    this.#lines.splice(0, Infinity, entry, ...before.filter((line) => line !== entry));
  }

  /** Lets the user edit one line. */
  async read(prompt: string): Promise<LineInput> {
    const { promise, resolve } = Promise.withResolvers<LineInput>();
    this.#prompt = prompt;
    this.#waiting = resolve;
    this.#editor.setPrompt(prompt);
    this.#editor.prompt();
    this.#pressTypedAhead();
    void this.#readKeys();
    return await promise;
  }

  /** Writes lines above the line that is edited, if one is. */
  print(text: string): void {
    if (!this.#waiting) return writeOut(text);
    writeOut(`\r\x1b[0J${text}`);
    this.#editor.prompt(true);
  }

  /** The line that is there already, of keys that were typed or pasted ahead; undefined if none is. */
  peekLine(): string | undefined {
    const end = this.#typedAhead.findIndex(([, { name }]) => name === "return" || name === "enter");
    if (end < 0) return undefined;
    return this.#typedAhead.slice(0, end).map(([text]) => text ?? "").join("");
  }

  /** Keys wait while a command runs, and while a completion is looked up that they come after. */
  get #takesKeys(): boolean {
    return this.#waiting !== null && this.#completing === null;
  }

  /** Lets go of the terminal. */
  [Symbol.dispose](): void {
    this.#waiting = null;
    takeKeys(false);
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
    this.#editor.close();
  }

  /** Reads keys for as long as a line is edited, so that commands may read the terminal themselves. */
  async #readKeys(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    const buffer = new Uint8Array(4096);
    while (this.#waiting) {
      const length = await Deno.stdin.read(buffer);
      if (length === null) this.#answer({ kind: "end" });
      else this.#keys.emit("data", buffer.slice(0, length));
    }
    this.#isReading = false;
  }

  #answer(input: LineInput): void {
    this.#waiting?.(input);
    this.#waiting = null;
  }

  #pressTypedAhead(): void {
    while (this.#takesKeys && this.#typedAhead.length > 0) {
      this.#press(...this.#typedAhead.shift()!);
    }
  }

  #press(text: string | undefined, key: Key): void {
    if (!this.#takesKeys) this.#typedAhead.push([text, key]);
    else if (this.#search) this.#pressInSearch(text, key);
    else if (key.ctrl && key.name === "r") this.#startSearch();
    // Ctrl-S would start a search forwards, which only makes sense in a search.
    else this.#editor.write(text as string, key);
  }

  #interrupt(): void {
    this.#typedAhead.length = 0;
    this.#completing = null;
    if (!this.#waiting) return this.#options.onInterrupt();
    const text = this.#search?.before ?? this.#editor.line;
    if (this.#search) this.#endSearch(text);
    this.#replaceLine("");
    // What was typed stays to be read, and to be copied.
    writeOut(`${text}^C\n`);
    this.#answer({ kind: "interrupt", text });
  }

  /** After Ctrl-Z and `fg`: the shell has used the terminal in between. */
  #resume(): void {
    takeKeys(true);
    if (this.#waiting) this.#editor.prompt(true);
  }

  #startSearch(): void {
    this.#search = { state: new ReverseSearch(this.history), before: this.#editor.line };
    this.#drawSearch();
  }

  #pressInSearch(text: string | undefined, key: Key): void {
    const { state, before } = this.#search!;
    if (key.ctrl && key.name === "r") state.next("older");
    else if (key.ctrl && key.name === "s") state.next("newer");
    else if (key.name === "backspace") state.erase();
    else if (key.ctrl && key.name === "g") return this.#endSearch(before);
    else if (text && !key.ctrl && !key.meta && text >= " " && text !== "\x7f") state.type(text);
    else {
      this.#endSearch(state.line || before, state.line ? state.cursor : before.length);
      // Escape only ends the search; any other key does what it does.
      if (key.name !== "escape") this.#press(text, key);
      return;
    }
    this.#drawSearch();
  }

  #drawSearch(): void {
    const { prompt, line } = this.#search!.state;
    this.#editor.setPrompt(prompt);
    this.#replaceLine(line);
  }

  #endSearch(line: string, cursor: number = line.length): void {
    this.#search = null;
    this.#editor.setPrompt(this.#prompt);
    this.#replaceLine(line);
    for (let back = line.length - cursor; back > 0; back--) {
      this.#editor.write(null as unknown as string, { name: "left" });
    }
  }

  #replaceLine(line: string): void {
    this.#editor.write(null as unknown as string, { ctrl: true, name: "e" });
    this.#editor.write(null as unknown as string, { ctrl: true, name: "u" });
    if (line !== "") this.#editor.write(line);
    this.#editor.prompt(true);
  }

  async #complete(
    text: string,
    callback: (error: null, result: [string[], string]) => void,
  ): Promise<void> {
    const own = this.#completing = {};
    const { candidates, replaces } = await this.#lookUp(text);
    // Ctrl-C has ended it.
    if (this.#completing !== own) return;
    this.#completing = null;
    callback(null, [[...candidates], replaces]);
    this.#pressTypedAhead();
  }

  /** A completion that fails is none: no line is lost for it. */
  async #lookUp(text: string): Promise<Completion> {
    try {
      return await this.#options.complete(text);
    } catch {
      return { candidates: [], replaces: "" };
    }
  }
}
