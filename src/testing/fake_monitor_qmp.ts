import type { ConnectionContext } from "./fake_monitor_context.ts";
import {
  type ByteStream,
  encodeLines,
  type FakeOutput,
  type WireReply,
} from "./fake_monitor_output.ts";
import type { MonitorSession } from "./fake_monitor_source.ts";

/** A command as it comes over QMP. */
interface QmpCommand {
  execute?: unknown;
  arguments?: { "command-line"?: unknown; "cpu-index"?: unknown };
  id?: unknown;
}

/** An answer: what the human monitor says, or a QMP object. */
type QmpAnswer = { hmp: string; command: string } | { object: Record<string, unknown> };

const LINE_END = "\r\n";

/** One client of a fake QMP server: the same machine in JSON. Only what pagewalk sends is understood. */
export class FakeQmpConnection {
  readonly #stream: ByteStream;
  readonly #output: FakeOutput;
  readonly #context: ConnectionContext;
  readonly #decoder = new TextDecoder();
  #received = "";
  #negotiated = false;
  #quit = false;

  constructor(stream: ByteStream, output: FakeOutput, context: ConnectionContext) {
    this.#stream = stream;
    this.#output = output;
    this.#context = context;
  }

  /** Serves until the client leaves or the machine ends. */
  async run(): Promise<"left" | "quit"> {
    const { script, source, signal } = this.#context;
    const fault = script.takeFault("connect");
    await this.#output.reply("", objectReply(greeting(source.version)), fault);
    if (fault?.kind === "raw") this.#output.fallSilent();
    await this.#output.flush();
    const unhook = script.onEvent((event) => void this.#sayEvent(event));
    try {
      for (let bytes; !signal.aborted && (bytes = await this.#stream.read()) !== null;) {
        this.#received += this.#decoder.decode(bytes, { stream: true });
        for (let line; (line = this.#takeLine()) !== null;) {
          if (this.#output.silent) continue;
          if (line.trim() !== "") await this.#take(line);
          if (this.#quit) return "quit";
        }
        await this.#output.flush();
      }
      return "left";
    } finally {
      unhook();
    }
  }

  #takeLine(): string | null {
    const end = this.#received.indexOf("\n");
    if (end < 0) return null;
    const line = this.#received.slice(0, end);
    this.#received = this.#received.slice(end + 1);
    return line;
  }

  async #take(line: string): Promise<void> {
    const { script, options } = this.#context;
    const command = JSON.parse(line) as QmpCommand;
    const answer = await this.#answer(command);
    if (this.#quit) return await this.#output.flush();
    const id = command.id === undefined ? {} : { id: command.id };
    if ("object" in answer) {
      return await this.#output.reply("", objectReply({ ...answer.object, ...id }), undefined);
    }
    const fault = script.takeFault({ command: answer.command });
    if (fault?.kind === "throw") throw new Error(fault.message);
    if (options.delayMs) await this.#output.pause(options.delayMs);
    await this.#output.reply(answer.hmp, textReply(id), fault);
  }

  async #answer(command: QmpCommand): Promise<QmpAnswer> {
    const { execute } = command;
    if (execute === "qmp_capabilities") {
      this.#negotiated = true;
      return { object: { return: {} } };
    }
    if (!this.#negotiated) {
      const desc = "Expecting capabilities negotiation with 'qmp_capabilities'";
      return refusal("CommandNotFound", desc);
    }
    if (execute !== "human-monitor-command") {
      return refusal("CommandNotFound", `The command ${execute} has not been found`);
    }
    const { "command-line": line, "cpu-index": cpu } = command.arguments ?? {};
    if (typeof line !== "string") {
      return refusal("GenericError", "Parameter 'command-line' is missing");
    }
    const { script } = this.#context;
    script.noteCommand(line);
    const session = await this.#sessionOf(cpu);
    if (session === null) {
      return refusal("GenericError", "Parameter 'cpu-index' expects a CPU number");
    }
    const { text, quit } = await session.answer(line);
    this.#quit = quit === true;
    return { hmp: text, command: line };
  }

  /** `cpu N` is forgotten at once: each command has a monitor of its own (5.2 to 11.1). */
  async #sessionOf(cpu: unknown): Promise<MonitorSession | null> {
    const { source } = this.#context;
    if (cpu === undefined) return source.openMonitor();
    const { text } = await source.openMonitor().answer("info cpus");
    const known = text.includes(`CPU #${cpu}:`);
    return known && typeof cpu === "number" ? source.openMonitor(cpu) : null;
  }

  async #sayEvent(event: string): Promise<void> {
    const timestamp = { seconds: 1_795_356_314, microseconds: 52_029 };
    await this.#output.say(encode({ timestamp, event }));
    await this.#output.flush();
  }
}

function greeting(version: string): Record<string, unknown> {
  const [major, minor, micro] = version.split(".").map(Number);
  return {
    QMP: { version: { qemu: { micro, minor, major }, package: "" }, capabilities: ["oob"] },
  };
}

function refusal(qmpClass: string, desc: string): QmpAnswer {
  return { object: { error: { class: qmpClass, desc } } };
}

/** QEMU puts a blank behind each colon and comma. */
function toQemuJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toQemuJson).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, field]) => `"${key}": ${toQemuJson(field)}`);
  return `{${fields.join(", ")}}`;
}

function encode(object: Record<string, unknown>): Uint8Array {
  return new TextEncoder().encode(toQemuJson(object) + LINE_END);
}

function objectReply(object: Record<string, unknown>): WireReply {
  return { encode: () => encode(object), end: new Uint8Array(), endless: ENDLESS };
}

function textReply(id: Record<string, unknown>): WireReply {
  return {
    encode: (text) =>
      new TextEncoder().encode(toQemuJson({ return: text.replaceAll("\n", LINE_END), ...id })),
    end: encodeLines("\n"),
    endless: ENDLESS,
  };
}

const ENDLESS: WireReply["endless"] = {
  start: encodeLines('{"return": "'),
  piece: () => encodeLines("0".repeat(64 * 1024)),
};
