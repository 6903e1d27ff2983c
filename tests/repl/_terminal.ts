import { assert } from "@std/assert";

const decoder = new TextDecoder();
let made = 0;

/** Whether tests on a terminal can run. Under CI they must: a missing tmux fails there. */
export const TERMINAL_TESTS: { readonly ignore: boolean } = {
  ignore: Deno.env.get("CI") !== "true" && !hasTmux(),
};

function hasTmux(): boolean {
  try {
    return new Deno.Command("tmux", { args: ["-V"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A program on a terminal of its own, kept by a tmux server of its own. */
export class Terminal implements AsyncDisposable {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /** Starts a program; when it ends, the screen shows `[exit N]`. */
  static async start(command: readonly string[], columns = 110): Promise<Terminal> {
    const terminal = new Terminal(`pagewalk-${Deno.pid}-${made++}`);
    const line = `${command.map(quoted).join(" ")}; echo "[exit $?]"; exec sleep 600`;
    await terminal.#tmux(
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      "-x",
      `${columns}`,
      "-y",
      "50",
      line,
    );
    return terminal;
  }

  /** Starts the prompt with only the permissions given. */
  static startRepl(
    args: readonly string[],
    permissions: readonly string[] = [],
    columns?: number,
  ): Promise<Terminal> {
    return Terminal.start([Deno.execPath(), "run", ...permissions, "repl.ts", ...args], columns);
  }

  /** Presses keys one after the other, by tmux's names: `Tab`, `C-c`, `Enter`. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.#tmux("send-keys", key);
  }

  /** Types text. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", text);
  }

  /** Types a line and enters it. */
  async enter(text: string): Promise<void> {
    await this.type(text);
    await this.press("Enter");
  }

  /** The screen with what scrolled off it, without blank lines at its end; `-e` keeps colours. */
  async screen(...options: string[]): Promise<string> {
    const text = await this.#tmux("capture-pane", "-p", "-S", "-500", ...options);
    return text.trimEnd();
  }

  /** The last line that is not blank. */
  async lastLine(): Promise<string> {
    return (await this.screen()).split("\n").at(-1)!;
  }

  /** Waits until the screen matches, and returns it. Fails with the screen after five minutes. */
  async until(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + 300_000;
    for (;;) {
      const screen = await this.screen();
      assert(!screen.includes("Deno requests"), `A permission was asked for:\n${screen}`);
      if (pattern.test(screen)) return screen;
      assert(performance.now() < deadline, `Not on the screen: ${pattern}\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  /** Ends the program and its terminal. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }

  async #tmux(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-L", this.#name, ...args],
      stdout: "piped",
      stderr: "piped",
    }).output();
    assert(success, `tmux ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout);
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
