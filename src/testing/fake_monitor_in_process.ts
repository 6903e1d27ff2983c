import type { Transport } from "../monitor/transport.ts";
import { type ByteStream, serveClient } from "./fake_monitor_connection.ts";
import type { MonitorControl } from "./fake_monitor_control.ts";
import type { FakeMonitorOptions } from "./fake_monitor_options.ts";
import { MonitorScript } from "./fake_monitor_script.ts";
import type { MonitorSource } from "./fake_monitor_source.ts";

/** A connection to a fake monitor inside this process. */
export interface InProcessTransport extends Transport {
  /** The monitor at the other end: what reached it, and what is to go wrong. */
  readonly monitor: MonitorControl;
}

/**
 * Connects to a monitor of its own on a machine: the bytes are those of a socket, but each write
 * arrives as one read.
 *
 * @param name what it is connected to, as a user would type it
 */
export function inProcessTransport(
  source: MonitorSource,
  options: FakeMonitorOptions = {},
  name = "sim:",
): InProcessTransport {
  const toClient = new Pipe();
  const toMonitor = new Pipe();
  const ending = new AbortController();
  const monitor = new MonitorScript(options);
  const monitorEnd: ByteStream = {
    read: () => toMonitor.read(),
    write: (bytes) => toClient.write(bytes),
    close: () => closeBoth(),
  };
  const served = serveClient(monitorEnd, {
    source,
    session: source.openMonitor(),
    script: monitor,
    options,
    signal: ending.signal,
  });
  return {
    name,
    isTcp: false,
    monitor,
    read: () => toClient.read(),
    write: (bytes) => toMonitor.write(bytes),
    close,
    async [Symbol.asyncDispose]() {
      close();
      await served;
    },
  };

  function closeBoth(): void {
    toClient.end();
    toMonitor.end();
  }

  function close(): void {
    // What the monitor had said is lost, as with a socket that is closed on this side.
    toClient.discard();
    closeBoth();
    ending.abort();
  }
}

/** A writer waits while more than this is unread, as it would for a socket's full buffer. */
const CAPACITY_BYTES = 256 * 1024;

/** Bytes on their way from one end to the other. */
class Pipe {
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  async read(): Promise<Uint8Array | null> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return null;
      await this.#changed.promise;
    }
    const chunk = this.#chunks.shift()!;
    this.#queuedBytes -= chunk.length;
    this.#wake();
    return chunk;
  }

  async write(bytes: Uint8Array): Promise<void> {
    while (!this.#ended && this.#queuedBytes > CAPACITY_BYTES) await this.#changed.promise;
    if (this.#ended) throw new Deno.errors.BrokenPipe("The other end of the pipe is closed");
    if (bytes.length === 0) return;
    this.#chunks.push(bytes.slice());
    this.#queuedBytes += bytes.length;
    this.#wake();
  }

  /** No more will be written; what is there can still be read. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  discard(): void {
    this.#chunks = [];
    this.#queuedBytes = 0;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
