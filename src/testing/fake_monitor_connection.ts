import type { ConnectionContext } from "./fake_monitor_context.ts";
import {
  type ByteStream,
  encodeLines,
  FakeOutput,
  Hangup,
  type WireReply,
} from "./fake_monitor_output.ts";
import { FakeQmpConnection } from "./fake_monitor_qmp.ts";
import { HmpReadline } from "./fake_monitor_readline.ts";
import { TELNET_GREETING, TelnetInput } from "./fake_monitor_telnet.ts";

export type { ByteStream } from "./fake_monitor_output.ts";

/**
 * Serves one client until it leaves, a fault ends the connection, or `quit`.
 *
 * @returns whether the machine ended
 */
export async function serveClient(
  stream: ByteStream,
  context: ConnectionContext,
): Promise<"left" | "quit"> {
  const { options, script, signal } = context;
  const output = new FakeOutput(stream, options, signal);
  const connection = options.protocol === "qmp"
    ? new FakeQmpConnection(stream, output, context)
    : new HmpConnection(stream, output, context);
  script.noteClient();
  try {
    return await connection.run();
  } catch (error) {
    if (!isDisconnection(error)) script.noteError(error);
    return "left";
  } finally {
    stream.close();
  }
}

const PROMPT = encodeLines("(qemu) ");

const HMP_REPLY: WireReply = {
  encode: encodeLines,
  end: PROMPT,
  endless: {
    start: new Uint8Array(),
    piece: () => encodeLines(`${"0".repeat(62)}\n`.repeat(1024)),
  },
};

class HmpConnection {
  readonly #stream: ByteStream;
  readonly #output: FakeOutput;
  readonly #context: ConnectionContext;
  readonly #readline = new HmpReadline();

  constructor(stream: ByteStream, output: FakeOutput, context: ConnectionContext) {
    this.#stream = stream;
    this.#output = output;
    this.#context = context;
  }

  async run(): Promise<"left" | "quit"> {
    const { options, script, source } = this.#context;
    const output = this.#output;
    const telnet = options.telnet ? new TelnetInput() : null;
    if (telnet) await output.say(TELNET_GREETING);
    const fault = script.takeFault("connect");
    const banner = `QEMU ${source.version} monitor - type 'help' for more information\n`;
    await output.reply(banner, HMP_REPLY, fault);
    // Whoever says something else at first is not a monitor, and answers nothing that we know of.
    if (fault?.kind === "raw") output.fallSilent();
    await output.flush();
    for (let bytes; (bytes = await this.#stream.read()) !== null;) {
      if (await this.#take(telnet ? telnet.filter(bytes) : bytes) === "quit") return "quit";
      await output.flush();
    }
    return "left";
  }

  async #take(bytes: Uint8Array): Promise<"quit" | void> {
    for (const byte of bytes) {
      if (this.#output.silent) return;
      const { echo, command } = this.#readline.accept(byte);
      if (echo !== "") await this.#output.say(latin1(echo));
      if (command !== null && await this.#runCommand(command) === "quit") return "quit";
    }
  }

  async #runCommand(command: string): Promise<"quit" | void> {
    const { script, session, options } = this.#context;
    const output = this.#output;
    // A client may type blanks ahead; they are not part of the command.
    script.noteCommand(command.trim());
    const fault = script.takeFault({ command: command.trim() });
    if (fault?.kind === "throw") throw new Error(fault.message);
    if (options.delayMs) await output.pause(options.delayMs);
    const answer = session.answer(command);
    // Who answers later should not hold back the echo.
    if (answer instanceof Promise) await output.flush();
    const { text, quit } = await answer;
    if (quit) {
      await output.flush();
      return "quit";
    }
    await output.reply(text, HMP_REPLY, fault);
  }
}

function isDisconnection(error: unknown): boolean {
  return error instanceof Hangup || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted;
}

function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
