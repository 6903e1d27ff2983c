import type { FakeMonitorOptions, MonitorFault } from "./fake_monitor_options.ts";
import { HmpReadline } from "./fake_monitor_readline.ts";
import type { MonitorSession } from "./fake_monitor_source.ts";
import { TELNET_GREETING, TelnetInput } from "./fake_monitor_telnet.ts";
import type { MonitorScript } from "./fake_monitor_script.ts";
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

/** What a connection needs of the monitor that it belongs to. */
export interface ConnectionContext {
  /** The version for the banner. */
  version: string;
  /** Answers the commands. */
  session: MonitorSession;
  /** Says what goes wrong, and notes what arrives. */
  script: MonitorScript;
  /** How bytes are sent. */
  options: FakeMonitorOptions;
  /** Ends waits when the monitor is closed. */
  signal: AbortSignal;
}

const PROMPT = "(qemu) ";
const ENDLESS_BYTES = 1 << 30;
const GARBAGE_SEED = 1;
/** More than this is not held back for the next write. */
const PENDING_BYTES = 64 * 1024;

/**
 * Serves one client until it leaves, a fault ends the connection, or `quit`.
 *
 * @returns whether the machine ended
 */
export async function serveClient(
  stream: ByteStream,
  context: ConnectionContext,
): Promise<"left" | "quit"> {
  const connection = new Connection(stream, context);
  context.script.noteClient();
  try {
    return await connection.run();
  } catch (error) {
    if (!isDisconnection(error)) context.script.noteError(error);
    return "left";
  } finally {
    stream.close();
  }
}

/** The connection is to end, for a reason that is no error. */
class Hangup extends Error {}

class Connection {
  readonly #stream: ByteStream;
  readonly #context: ConnectionContext;
  readonly #readline = new HmpReadline();
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #silent = false;

  constructor(stream: ByteStream, context: ConnectionContext) {
    this.#stream = stream;
    this.#context = context;
  }

  async run(): Promise<"left" | "quit"> {
    const { options, script, version } = this.#context;
    const telnet = options.telnet ? new TelnetInput() : null;
    if (telnet) await this.#say(TELNET_GREETING);
    const fault = script.takeFault("connect");
    await this.#reply(`QEMU ${version} monitor - type 'help' for more information\n`, fault);
    // Whoever says something else at first is no monitor, and answers nothing that we know of.
    this.#silent ||= fault?.kind === "raw";
    await this.#flush();
    for (let bytes; (bytes = await this.#stream.read()) !== null;) {
      if (await this.#take(telnet ? telnet.filter(bytes) : bytes) === "quit") return "quit";
      await this.#flush();
    }
    return "left";
  }

  async #take(bytes: Uint8Array): Promise<"quit" | void> {
    for (const byte of bytes) {
      if (this.#silent) return;
      const { echo, command } = this.#readline.accept(byte);
      if (echo !== "") await this.#say(latin1(echo));
      if (command !== null && await this.#runCommand(command) === "quit") return "quit";
    }
  }

  async #runCommand(command: string): Promise<"quit" | void> {
    const { script, session, options } = this.#context;
    // A client may type blanks ahead; they are no part of the command.
    script.noteCommand(command.trim());
    const fault = script.takeFault({ command: command.trim() });
    if (fault?.kind === "throw") throw new Error(fault.message);
    if (options.delayMs) await this.#pause(options.delayMs);
    const answer = session.answer(command);
    // Who answers later should not hold back the echo.
    if (answer instanceof Promise) await this.#flush();
    const { text, quit } = await answer;
    if (quit) {
      await this.#flush();
      return "quit";
    }
    await this.#reply(text, fault);
  }

  async #reply(text: string, fault: MonitorFault | undefined): Promise<void> {
    const reply = encode(text);
    const prompt = encode(PROMPT);
    switch (fault?.kind) {
      case undefined:
        return await this.#sayLines(text, prompt);
      case "silence":
        this.#silent = true;
        return;
      case "close":
        await this.#say(join(reply, prompt).subarray(0, fault.afterBytes));
        await this.#flush();
        throw new Hangup();
      case "garbage":
        return await this.#say(join(garbage(fault.lengthBytes), prompt));
      case "endless":
        return await this.#sayEndlessly(fault.lengthBytes ?? ENDLESS_BYTES);
      case "noPrompt":
        return await this.#say(reply);
      case "trickle":
        await this.#flush();
        return await this.#send(join(reply, prompt), fault.chunkBytes, fault.delayMs);
      case "delay":
        await this.#pause(fault.delayMs);
        return await this.#sayLines(text, prompt);
      case "replace":
        return await this.#sayLines(fault.text, prompt);
      case "insert": {
        const at = Math.min(fault.atByte, reply.length);
        const before = join(reply.subarray(0, at), encode(fault.text));
        return await this.#say(join(before, join(reply.subarray(at), prompt)));
      }
      case "raw":
        return await this.#say(
          typeof fault.bytes === "string" ? new TextEncoder().encode(fault.bytes) : fault.bytes,
        );
      case "throw":
        throw new Error(fault.message);
    }
  }

  async #sayEndlessly(lengthBytes: number): Promise<never> {
    const lines = encode(`${"0".repeat(62)}\n`.repeat(1024));
    await this.#flush();
    for (let sent = 0; sent < lengthBytes; sent += lines.length) {
      await this.#send(lines.subarray(0, lengthBytes - sent));
    }
    throw new Hangup();
  }

  /** QEMU's monitor sends what it has at each line end, and the prompt by itself. */
  async #sayLines(text: string, prompt: Uint8Array): Promise<void> {
    if (this.#context.options.writes !== "perFlush") {
      return await this.#say(join(encode(text), prompt));
    }
    for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) await this.#say(encode(line));
    await this.#say(prompt);
  }

  async #say(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    const full = this.#pendingBytes > PENDING_BYTES;
    if (full || this.#context.options.writes === "perFlush") await this.#flush();
  }

  async #flush(): Promise<void> {
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

  async #send(
    bytes: Uint8Array,
    chunkBytes = this.#context.options.chunkBytes ?? Infinity,
    delayMs = this.#context.options.chunkDelayMs ?? 0,
  ): Promise<void> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      if (delayMs > 0) await wait(delayMs, this.#context.signal);
      await this.#stream.write(bytes.subarray(at, at + chunkBytes));
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#flush();
    await wait(ms, this.#context.signal);
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

function isDisconnection(error: unknown): boolean {
  return error instanceof Hangup || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted;
}

/** A monitor's text as bytes: its line ends are CR LF. */
function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text.replaceAll("\n", "\r\n"));
}

function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

function garbage(lengthBytes: number): Uint8Array {
  const random = new SeededRandom(GARBAGE_SEED);
  return Uint8Array.from({ length: lengthBytes }, () => random.below(256));
}
