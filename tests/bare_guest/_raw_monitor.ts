/**
 * The least that can talk to a QEMU monitor, so that the bare guest is held against QEMU without the
 * code under test. Over a Unix socket, where no acknowledgement is late.
 */
export class RawMonitor implements AsyncDisposable {
  readonly #connection: Deno.UnixConn;
  readonly #chunk = new Uint8Array(65536);

  private constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }

  static async connect(path: string): Promise<RawMonitor> {
    const monitor = new RawMonitor(await Deno.connect({ transport: "unix", path }));
    await monitor.#untilPrompt();
    return monitor;
  }

  /** Runs a command and returns the lines of its reply. */
  async lines(command: string): Promise<string[]> {
    await this.#connection.write(new TextEncoder().encode(`${command}\n`));
    const text = await this.#untilPrompt();
    return text.slice(text.indexOf("\r\n") + 2).split("\r\n").slice(0, -1); // without the echo
  }

  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
  }

  async #untilPrompt(): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    while (!text.endsWith("(qemu) ")) {
      const count = await this.#connection.read(this.#chunk);
      if (count === null) throw new Error(`QEMU closed its monitor after: ${text}`);
      text += decoder.decode(this.#chunk.subarray(0, count));
    }
    return text;
  }
}
