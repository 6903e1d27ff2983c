/** As much of the Chrome DevTools Protocol as the tests of the page need, over Deno's own WebSocket. */

/** The Chromium on PATH, or null. */
export const CHROMIUM: string | null = await findChromium();

async function findChromium(): Promise<string | null> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
      try {
        if ((await Deno.stat(`${folder}/${name}`)).isFile) return `${folder}/${name}`;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
  return null;
}

interface Reply {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** One page in a headless Chromium. */
export class Browser implements AsyncDisposable {
  /** What the page wrote to the console as errors, and the exceptions that it did not catch. */
  readonly problems: string[] = [];
  /** Every address that the page asked for. */
  readonly requests: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #last = 0;

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
  }

  /** Starts Chromium with an empty page. */
  static async start(): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "pagewalk-chromium-" });
    const process = new Deno.Command(CHROMIUM!, {
      args: [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"],
        ...[`--user-data-dir=${profile}`, "--window-size=1240,900", "about:blank"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    // Chromium writes the port that it was given into its profile.
    const deadline = Date.now() + 300_000;
    let port: string | undefined;
    while (!port) {
      if (Date.now() > deadline) throw new Error("Chromium did not start within five minutes");
      await new Promise((resolve) => setTimeout(resolve, 50));
      try {
        port = (await Deno.readTextFile(`${profile}/DevToolsActivePort`)).split("\n")[0];
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    const page = targets.find((target: { type: string }) => target.type === "page");
    const socket = new WebSocket(page.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const browser = new Browser(process, profile, socket);
    for (const domain of ["Page", "Runtime", "Network"]) await browser.send(`${domain}.enable`);
    return browser;
  }

  /** Sends one command of the protocol and returns its result. */
  async send(
    method: string,
    params: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
    if (reply.error) throw new Error(`${method}: ${reply.error.message}`);
    return reply.result ?? {};
  }

  /** Opens a page and waits until its script says that it is ready. */
  async open(url: string): Promise<void> {
    await this.send("Page.navigate", { url });
    await this.until("document.documentElement?.dataset.ready === 'true'");
  }

  /** Evaluates an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options) as {
      result: { value: T };
      exceptionDetails?: { text: string };
    };
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    const deadline = Date.now() + 300_000;
    while (!await this.evaluate<boolean>(`Boolean(${expression})`)) {
      if (Date.now() > deadline) throw new Error(`Never true: ${expression}; ${this.problems}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Presses keys, one after the other. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
      const codes: Record<string, number> = { Enter: 13, Tab: 9 };
      const common = { key, code: key, windowsVirtualKeyCode: codes[key] ?? 0 };
      await this.send("Input.dispatchKeyEvent", {
        type: "keyDown",
        ...common,
        ...text && { text },
      });
      await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
    }
  }

  #take(message: Reply): void {
    if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    } else if (message.method === "Runtime.exceptionThrown") {
      this.problems.push(JSON.stringify(message.params));
    } else if (message.method === "Runtime.consoleAPICalled" && message.params?.type === "error") {
      this.problems.push(JSON.stringify(message.params));
    } else if (message.method === "Network.requestWillBeSent") {
      this.requests.push((message.params as { request: { url: string } }).request.url);
    }
  }

  /** Ends Chromium and removes its profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    await this.send("Browser.close");
    await closed;
    await this.#process.status;
    await Deno.remove(this.#profile, { recursive: true });
  }
}
