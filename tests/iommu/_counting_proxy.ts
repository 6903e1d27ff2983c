/** Stands between a client and a monitor, and keeps every line that the client sends. */
export class CountingProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  readonly #served: Promise<void>;
  readonly #open = new Set<Deno.Conn>();
  /** What was sent, in order. */
  readonly commands: string[] = [];

  /** Listens for clients of the monitor at a port. */
  constructor(target: number) {
    this.#target = target;
    this.#served = this.#serve();
  }

  /** The port to connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** The reads of physical memory: from which address, and how many bytes. */
  get reads(): { address: bigint; lengthBytes: number; command: string }[] {
    const bytes: Record<string, number> = { b: 1, h: 2, w: 4, g: 8 };
    return this.commands.flatMap((command) => {
      const [, count, unit, address] = /^xp \/(\d*)([bhwg])?x? (0x[0-9a-f]+)$/.exec(command) ?? [];
      if (address === undefined) return [];
      const lengthBytes = Number(count || 1) * bytes[unit ?? "w"]!;
      return [{ address: BigInt(address), lengthBytes, command }];
    });
  }

  async #serve(): Promise<void> {
    for await (const client of this.#listener) {
      const monitor = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
      this.#open.add(client).add(monitor);
      await Promise.all([this.#pass(client, monitor), monitor.readable.pipeTo(client.writable)])
        // One of the two has hung up.
        .catch((error) => {
          if (!(error instanceof Deno.errors.Interrupted || isHangUp(error))) throw error;
        });
      for (const end of [client, monitor]) this.#close(end);
    }
  }

  async #pass(client: Deno.Conn, monitor: Deno.Conn): Promise<void> {
    const decoder = new TextDecoder();
    const writer = monitor.writable.getWriter();
    let partial = "";
    for await (const chunk of client.readable) {
      const lines = (partial + decoder.decode(chunk, { stream: true })).split(/[\r\n]/);
      partial = lines.pop() ?? "";
      // The client sends a NUL ahead of a line, which QEMU's readline drops.
      const clean = lines.map((line) => line.replaceAll("\0", "").trim());
      this.commands.push(...clean.filter((line) => line !== ""));
      await writer.write(chunk);
    }
    this.#close(monitor);
  }

  #close(end: Deno.Conn): void {
    if (!this.#open.delete(end)) return;
    try {
      end.close();
    } catch (error) {
      // The stream has closed it.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const end of this.#open) this.#close(end);
    await this.#served;
  }
}

function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe || error instanceof TypeError;
}
