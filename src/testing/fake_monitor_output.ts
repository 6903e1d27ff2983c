import type { FakeMonitorOptions, MonitorFault } from "./fake_monitor_options.ts";
import { SeededRandom } from "./simulated_guest_random.ts";

/** A client's two-way stream of bytes. */
export interface ByteStream {
  /** Returns the next bytes, or null once the client has closed. */
  read(): Promise<Uint8Array | null>;
  /** Sends all the bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes both ways; may be called twice. */
  close(): void;
}

/** How one reply stands on the wire: a text, and what shows that it is complete. */
export interface WireReply {
  /** The text's bytes. A fault may put another text in its place. */
  encode(text: string): Uint8Array;
  /** What follows the text: a prompt, a line end. */
  end: Uint8Array;
  /** What an endless reply repeats, after what it begins with. */
  endless: { start: Uint8Array; piece: () => Uint8Array };
}

/** The connection is to end, for a reason that is not an error. */
export class Hangup extends Error {}

const ENDLESS_BYTES = 1 << 30;
const GARBAGE_SEED = 1;
/** More than this is not held back for the next write. */
const PENDING_BYTES = 64 * 1024;

/** What a fake monitor says to one client, and what goes wrong with it. */
export class FakeOutput {
  readonly #stream: ByteStream;
  readonly #options: FakeMonitorOptions;
  readonly #signal: AbortSignal;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #silent = false;

  /** Writes to a stream; the signal ends waits. */
  constructor(stream: ByteStream, options: FakeMonitorOptions, signal: AbortSignal) {
    this.#stream = stream;
    this.#options = options;
    this.#signal = signal;
  }

  /** True once nothing more is to be said, and what the client says is not to be heard. */
  get silent(): boolean {
    return this.#silent;
  }

  /** Says a reply, or what a fault makes of it. */
  async reply(text: string, wire: WireReply, fault: MonitorFault | undefined): Promise<void> {
    const { end } = wire;
    const reply = wire.encode(text);
    switch (fault?.kind) {
      case undefined:
        return await this.#sayReply(text, wire);
      case "silence":
        this.#silent = true;
        return;
      case "close":
        await this.say(join(reply, end).subarray(0, fault.afterBytes));
        await this.flush();
        throw new Hangup();
      case "garbage":
        return await this.say(join(garbage(fault.lengthBytes), end));
      case "endless":
        return await this.#sayEndlessly(wire.endless, fault.lengthBytes ?? ENDLESS_BYTES);
      case "noPrompt":
        return await this.say(reply);
      case "trickle":
        await this.flush();
        return await this.#send(join(reply, end), fault.chunkBytes, fault.delayMs);
      case "delay":
        await this.pause(fault.delayMs);
        return await this.#sayReply(text, wire);
      case "replace":
        return await this.#sayReply(fault.text, wire);
      case "insert": {
        const at = Math.min(fault.atByte, reply.length);
        const before = join(reply.subarray(0, at), encodeLines(fault.text));
        return await this.say(join(before, join(reply.subarray(at), end)));
      }
      case "raw":
        return await this.say(
          typeof fault.bytes === "string" ? new TextEncoder().encode(fault.bytes) : fault.bytes,
        );
      case "throw":
        throw new Error(fault.message);
    }
  }

  /** Says nothing more, as whoever greets in another language. */
  fallSilent(): void {
    this.#silent = true;
  }

  /** Says some bytes, at once or with what follows. */
  async say(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    const full = this.#pendingBytes > PENDING_BYTES;
    if (full || this.#options.writes === "perFlush") await this.flush();
  }

  /** Sends what was held back. */
  async flush(): Promise<void> {
    const bytes = new Uint8Array(this.#pendingBytes);
    let at = 0;
    for (const piece of this.#pending) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#send(bytes);
  }

  /** Sends what was held back, and waits. */
  async pause(ms: number): Promise<void> {
    await this.flush();
    await wait(ms, this.#signal);
  }

  /** QEMU's monitors send what they have at each line end, and a prompt by itself. */
  async #sayReply(text: string, wire: WireReply): Promise<void> {
    const reply = wire.encode(text);
    if (this.#options.writes !== "perFlush") return await this.say(join(reply, wire.end));
    for (let at = 0; at < reply.length;) {
      const lineEnd = reply.indexOf(0x0a, at);
      const next = lineEnd < 0 ? reply.length : lineEnd + 1;
      await this.say(reply.subarray(at, next));
      at = next;
    }
    await this.say(wire.end);
  }

  async #sayEndlessly(endless: WireReply["endless"], lengthBytes: number): Promise<never> {
    await this.flush();
    await this.#send(endless.start);
    const piece = endless.piece();
    for (let sent = 0; sent < lengthBytes; sent += piece.length) {
      await this.#send(piece.subarray(0, lengthBytes - sent));
    }
    throw new Hangup();
  }

  async #send(
    bytes: Uint8Array,
    chunkBytes = this.#options.chunkBytes ?? Infinity,
    delayMs = this.#options.chunkDelayMs ?? 0,
  ): Promise<void> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      if (delayMs > 0) await wait(delayMs, this.#signal);
      await this.#stream.write(bytes.subarray(at, at + chunkBytes));
    }
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    if (signal.aborted) reject(new Hangup());
    else resolve();
  };
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return promise;
}

/** A monitor's text as bytes: its line ends are CR LF. */
export function encodeLines(text: string): Uint8Array {
  return new TextEncoder().encode(text.replaceAll("\n", "\r\n"));
}

function garbage(lengthBytes: number): Uint8Array {
  const random = new SeededRandom(GARBAGE_SEED);
  return Uint8Array.from({ length: lengthBytes }, () => random.below(256));
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
