import type { CommandJob } from "../../monitor/_command_job.ts";
import { type CommandLimits, CommandQueue } from "../../monitor/_command_queue.ts";
import { CommandSender } from "../../monitor/_command_sender.ts";
import { FramingError } from "../../monitor/hmp_codec.ts";
import type { CommandOptions } from "../../monitor/monitor.ts";
import type { Transport } from "../../monitor/transport.ts";
import { DETACH, LEAVE_PHYSICAL_MEMORY } from "./farewell.ts";
import { decodeHex, encodeHex, encodePacket, PacketFramer } from "./packet.ts";
import { fitsRequest } from "./reply_shapes.ts";

/** What is sent ahead of its replies: QEMU reads on while it answers, and takes them in order. */
const MAX_UNDER_WAY = 16;
/** How long the process stays for QEMU to read a farewell to which no answer can be awaited. */
const LAST_MOMENT_MS = 100;
const CONSOLE = "O".charCodeAt(0);
/** How much is kept of what a peer says first: enough to tell what it is. */
const FIRST_WORDS_CHARACTERS = 64;

/**
 * A connection to a gdbstub: requests and their replies, in order. Several requests may be under way. A
 * request that is aborted or late leaves its reply to be dropped when it comes.
 */
export class GdbConnection {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  readonly #transport: Transport;
  readonly #queue: CommandQueue;
  readonly #sender: CommandSender;
  readonly #framer = new PacketFramer();
  /** What the monitor has printed so far, for the `qRcmd` that is being answered. */
  #console = "";
  #firstWords = "";
  #stopped = false;
  #reading: Promise<void> | null = null;

  constructor(transport: Transport, limits: CommandLimits) {
    this.endpoint = transport.name;
    this.#transport = transport;
    this.#queue = new CommandQueue(this.endpoint, limits, () => this.#sender.send());
    this.#sender = new CommandSender(this.#queue, {
      maxUnderWay: MAX_UNDER_WAY,
      // The `+` acknowledges whatever came last; QEMU takes a `$` for that as well.
      encode: (jobs) => `+${jobs.map(({ wire }) => encodePacket(wire)).join("")}`,
      write: async (packets) => {
        await transport.write(packets);
        this.#read();
      },
      onFailed: (cause) => this.end(this.#whyEnded(cause), cause),
    });
  }

  /** True if the stub has said of itself that it stopped the guest: the guest ran before (7.2 and older). */
  get saidStopped(): boolean {
    return this.#stopped;
  }

  /** The first characters that the peer said, each byte one. */
  get firstWords(): string {
    return this.#firstWords;
  }

  /** True once the connection has ended, for whatever reason. */
  get ended(): boolean {
    return this.#queue.ended;
  }

  /** True while the connection stands and no reply is late, or has been given up. */
  get responds(): boolean {
    return !this.#queue.ended && !this.#queue.oldest?.settled;
  }

  /** Checks a command of the human monitor against the read-only list, and queues what stands for it. */
  monitorCommand(line: string, options: CommandOptions): Promise<string> {
    return this.#queue.run(line, options, `qRcmd,${encodeHex(line)}`);
  }

  /**
   * Sends a request and returns the data of its reply as text, each byte one character.
   */
  request(data: string, options: CommandOptions = {}): Promise<string> {
    return this.#queue.enqueue(data, options);
  }

  /** Takes no more requests but those of the farewell: any byte after it would stop the guest again. */
  leave(why: string): void {
    this.#queue.leave(why);
  }

  /** Sends a request of the farewell, after {@linkcode leave}. */
  farewell(data: string, options: CommandOptions): Promise<string> {
    return this.#queue.enqueueLast(data, options);
  }

  /** Says farewell in the last moment of a process, in which nothing can be waited for. */
  farewellNow(run: boolean): void {
    if (this.#queue.ended) return;
    const packets = [LEAVE_PHYSICAL_MEMORY, ...run ? [DETACH] : []].map(encodePacket).join("");
    // Deno makes the system call before it returns; nobody is left to be told of a failure.
    this.#transport.write(new TextEncoder().encode(`+${packets}`)).catch(() => {});
    // If the socket closes with something unread, QEMU may see that first and drop what was sent.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_MOMENT_MS);
  }

  /** Ends the connection; requests that wait for a reply fail. */
  end(why: string, cause?: unknown): void {
    if (this.#queue.end(why, cause)) this.#transport.close();
  }

  /** Waits until nothing is under way on the connection any more. */
  async settled(): Promise<void> {
    await Promise.all([this.#sender.sending, this.#reading]);
  }

  #read(): void {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null;
      // A command may have been sent before the promise was settled.
      if (!this.#queue.ended && this.#queue.underWay > 0) this.#read();
    });
  }

  async #readAll(): Promise<void> {
    try {
      while (!this.#queue.ended && this.#queue.underWay > 0) {
        const bytes = await this.#transport.read();
        if (bytes === null) return void this.end(this.#whyEnded(null));
        this.#hear(bytes);
        for (const packet of this.#framer.push(bytes)) this.#take(packet);
        this.#queue.checkClock();
        if (this.#queue.peek() !== undefined) this.#sender.send();
      }
    } catch (cause) {
      this.end(this.#whyEnded(cause), cause);
    }
  }

  #hear(bytes: Uint8Array): void {
    const missing = FIRST_WORDS_CHARACTERS - this.#firstWords.length;
    if (missing > 0) this.#firstWords += decoder.decode(bytes.subarray(0, missing));
  }

  #take(packet: Uint8Array): void {
    const text = decoder.decode(packet);
    // Nothing that is sent here lets the guest run, so a stop reply is of the connecting itself.
    if (/^[TS][0-9a-f]{2}/.test(text)) {
      this.#stopped = true;
      return;
    }
    const job = this.#queue.oldest;
    if (job === undefined) throw new FramingError(`unasked: ${JSON.stringify(text.slice(0, 40))}`);
    const isMonitorCommand = job.wire.startsWith("qRcmd,");
    // A console packet is `O` and hex digits, of which `OK` is none.
    if (isMonitorCommand && packet[0] === CONSOLE && text !== "OK") {
      return this.#print(packet.subarray(1), job);
    }
    if (!isMonitorCommand && !fitsRequest(text, job.wire)) {
      throw new FramingError(`${JSON.stringify(text.slice(0, 40))} in reply to "${job.wire}"`);
    }
    this.#queue.finish(job);
    if (!isMonitorCommand) return job.resolve(text);
    const printed = this.#console;
    this.#console = "";
    if (text === "OK") job.resolve(printed);
    else job.reject(this.#queue.failed(job.line, `it answers ${JSON.stringify(text)}`));
  }

  #print(digits: Uint8Array, job: CommandJob): void {
    const bytes = decodeHex(digits);
    if (bytes === null) throw new FramingError("console output that is not hex");
    if (job.settled) return;
    this.#console += decoder.decode(bytes);
    if (this.#console.length <= this.#queue.maxReplyBytes) return;
    job.reject(this.#queue.tooLarge(job.line));
    this.#console = "";
  }

  #whyEnded(cause: unknown): string {
    if (cause instanceof FramingError) {
      return `${this.endpoint} answered what no gdbstub answers (${cause.message}), so it was closed`;
    }
    const detail = cause instanceof Error ? ` (${cause.message})` : "";
    return `the connection to ${this.endpoint} ended${detail}: QEMU quit or closed its gdbstub`;
  }
}

const decoder = new TextDecoder("latin1");
