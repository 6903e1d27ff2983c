import type { CpuRegisters } from "../../arch/x86/registers.ts";
import type { CpuSource } from "../../arch/cpu_source.ts";
import { formatError, InvalidArgumentError } from "../../core/errors.ts";
import type { MemoryRange } from "../../memory/memory_map.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import type { CommandLimits } from "../../monitor/_command_queue.ts";
import { runOnCpu } from "../../monitor/_run_on_cpu.ts";
import { plainLines } from "../../monitor/_settle.ts";
import { readMemoryMap, readStatus } from "../../monitor/commands/read_state.ts";
import { type GdbEndpoint, parseEndpoint } from "../../monitor/endpoint/mod.ts";
import {
  ConnectionLostError,
  MonitorError,
  NoBannerError,
  ReplyTimeoutError,
  WrongPeerError,
} from "../../monitor/errors.ts";
import { FramingError } from "../../monitor/hmp_codec.ts";
import type { CommandOptions, Monitor } from "../../monitor/monitor.ts";
import { identifyPeer } from "../../monitor/peer.ts";
import { errorFromReply } from "../../monitor/reply_errors.ts";
import { connectSocket } from "../../monitor/socket_transport.ts";
import { GdbConnection } from "./gdb_connection.ts";
import { GdbMemory } from "./gdb_memory.ts";
import { GdbRegisters } from "./gdb_registers.ts";

/** How a gdbstub is talked to. */
export interface GdbClientOptions extends CommandLimits {
  /**
   * Milliseconds until the connection must stand.
   *
   * @default {5000}
   */
  connectTimeoutMs?: number;
  /**
   * Milliseconds until the stub must have given its first answer.
   *
   * @default {3000}
   */
  bannerTimeoutMs?: number;
  /** Ends the attempt to connect with the signal's reason. */
  signal?: AbortSignal;
}

/** How long resuming the guest may take before the connection is given up. */
const RESUME_TIMEOUT_MS = 2000;
/** The same where the stub has never answered: what is sent counts, an answer need not come. */
const UNANSWERED_TIMEOUT_MS = 50;
const SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"];

/**
 * Connects to a gdbstub (`-gdb tcp:127.0.0.1:1234`, `-s`). QEMU pauses the guest for as long as the
 * connection lasts. Closing it lets the guest run on, and so do Ctrl-C and SIGTERM; only a SIGKILL
 * leaves it paused.
 *
 * A guest that was paused before stays paused, where QEMU tells: up to 7.2 always, later ones only if it
 * was never started.
 *
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the stub does not answer, most often as a debugger holds it
 * @throws {WrongPeerError} if the peer is no gdbstub
 *
 * @example Usage
 * ```ts
 * import { connectGdb } from "@pagewalk/pagewalk";
 * import { qemuAvailable, startBareGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * if (await qemuAvailable()) {
 *   await using qemu = await startBareGuest("4-level", { gdb: true });
 *   await using stub = await connectGdb(`gdb:${qemu.gdbPort}`); // the guest is paused from here …
 *   assertEquals(await stub.command("info status"), "VM status: paused");
 * } // … to here
 * ```
 */
export async function connectGdb(
  endpoint: GdbEndpoint | string,
  options: GdbClientOptions = {},
): Promise<GdbClient> {
  const parsed = typeof endpoint === "string" ? parseEndpoint(endpoint) : endpoint;
  if (parsed.scheme === "gdb") return await GdbClient.open(parsed, options);
  throw new InvalidArgumentError(`Not a gdbstub: "${endpoint}"; write gdb:HOST:PORT`, endpoint);
}

/**
 * QEMU's gdbstub: registers, physical memory, and the human monitor by `qRcmd`.
 *
 * @example Usage
 * ```ts
 * import { connectGdb } from "@pagewalk/pagewalk";
 * import { qemuAvailable, startBareGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * if (await qemuAvailable()) {
 *   await using qemu = await startBareGuest("4-level", { gdb: true });
 *   await using stub = await connectGdb(`gdb:${qemu.gdbPort}`);
 *   assertEquals((await stub.registers(0)).cr3, qemu.guest.vcpus[0]?.registers.cr3);
 *   assertEquals((await stub.memory.read(0x1000n, 8)).length, 8);
 * }
 * ```
 */
export class GdbClient implements Monitor, CpuSource {
  readonly #open: () => Promise<GdbConnection>;
  readonly #connection: GdbConnection;
  readonly #registers: GdbRegisters;
  readonly #onSignal = new Map<Deno.Signal, () => void>();
  #memory: PhysicalMemory | null = null;
  #ranges: Promise<readonly MemoryRange[]> | null = null;
  #qemuVersion = "";
  #resumes = true;
  /**
   * False while another client holds the stub. What is sent then still counts: QEMU takes this connection,
   * and pauses the guest for it, when that client leaves, even if it has been closed by then.
   */
  #answered = false;
  #closing: Promise<void> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(connection: GdbConnection, open: () => Promise<GdbConnection>) {
    this.#connection = connection;
    this.#open = open;
    this.#registers = new GdbRegisters(connection);
  }

  /** As {@linkcode connectGdb}. */
  static async open(endpoint: GdbEndpoint, options: GdbClientOptions = {}): Promise<GdbClient> {
    const { connectTimeoutMs = 5000, bannerTimeoutMs = 3000, signal } = options;
    const open = async () =>
      new GdbConnection(
        await connectSocket(endpoint, { timeoutMs: connectTimeoutMs, ...signal && { signal } }),
        options,
      );
    const client = new GdbClient(
      await open(),
      async () =>
        new GdbConnection(await connectSocket(endpoint, { timeoutMs: RESUME_TIMEOUT_MS }), {}),
    );
    // From here on the guest is paused, whatever happens.
    client.#resumeAtAnyEnd();
    const abort = () => client.#connection.end("the attempt to connect was aborted");
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await client.#greet(bannerTimeoutMs);
      return client;
    } catch (error) {
      await client.#closeAfter(error);
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** What it is connected to, as a user would type it. */
  get endpoint(): string {
    return this.#connection.endpoint;
  }

  /** QEMU's version, such as `7.2.22`. */
  get qemuVersion(): string {
    return this.#qemuVersion;
  }

  /** True if the guest runs on when the connection is closed. */
  get resumes(): boolean {
    return this.#resumes;
  }

  /** The guest's physical memory; only RAM and ROM are read. */
  get memory(): PhysicalMemory {
    return this.#memory!;
  }

  /** Reads the registers of one vCPU, by default the first. */
  registers(cpu?: number): Promise<CpuRegisters> {
    return this.#registers.registers(cpu);
  }

  /** Reads the registers of every vCPU. */
  allRegisters(): Promise<CpuRegisters[]> {
    return this.#registers.allRegisters();
  }

  /**
   * Runs one command of the human monitor (gdb's `monitor`) and returns its text.
   *
   * @throws {CommandRefusedError} if the command is not on the read-only list
   * @throws {MonitorError} if the connection fails, closes, or the reply is late or too large
   */
  async command(line: string, options: CommandOptions = {}): Promise<string> {
    const { cpu, ...bounds } = options;
    const exchange = async (text: string, allowUnsafe = bounds.allowUnsafe ?? []) => {
      return plainLines(await this.#connection.monitorCommand(text, { ...bounds, allowUnsafe }));
    };
    const { endpoint, qemuVersion } = this;
    const reply = cpu === undefined
      ? await exchange(line)
      : await this.#oneAtATime(() => runOnCpu(exchange, line, cpu, endpoint));
    const error = errorFromReply(reply, { endpoint, qemuVersion, command: line });
    if (error !== null) throw error;
    return reply;
  }

  /** Lets the guest run on, if it ran before, and ends the connection. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #greet(timeoutMs: number): Promise<void> {
    const { endpoint } = this;
    let supported: string;
    try {
      supported = await this.#connection.request("qSupported", { timeoutMs });
    } catch (error) {
      throw greetingError(error, this.#connection, timeoutMs);
    }
    this.#answered = true;
    const packetBytes = /\bPacketSize=([0-9a-f]+)/i.exec(supported)?.[1];
    const mode = await this.#connection.request("Qqemu.PhyMemMode:1", { timeoutMs });
    if (packetBytes === undefined || mode !== "OK") {
      throw new WrongPeerError(
        "gdbstub",
        `${endpoint} is no gdbstub of a QEMU with physical memory (4.1 or later): use its -monitor`,
        { endpoint },
      );
    }
    const version = await this.command("info version", { timeoutMs });
    this.#qemuVersion = /^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "";
    this.#resumes = await this.#ranBefore();
    this.#memory = new GdbMemory(this.#connection, parseInt(packetBytes, 16), () => this.#map());
  }

  /**
   * Up to 7.2 the stub says that it has stopped the guest, if it has. Since 8.0 it says so only when
   * asked to run it; then a guest that was never started is told by its status, and one that a user had
   * paused is not told from one that ran.
   */
  async #ranBefore(): Promise<boolean> {
    if (parseInt(this.#qemuVersion) < 8) return this.#connection.saidStopped;
    return (await readStatus(this)).detail === "";
  }

  #map(): Promise<readonly MemoryRange[]> {
    this.#ranges ??= readMemoryMap(this);
    this.#ranges.catch(() => this.#ranges = null); // A later read may ask again.
    return this.#ranges;
  }

  /** Changing the monitor's vCPU and putting it back must not be torn apart. */
  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {}); // The caller gets the error; the next one's turn comes anyway.
    return result;
  }

  /** A script that comes to its end without closing the connection must not leave the guest paused. */
  readonly #onEnd = (event: Event): void => {
    event.preventDefault();
    void this.close();
  };

  #resumeAtAnyEnd(): void {
    globalThis.addEventListener("beforeunload", this.#onEnd);
    for (const [i, name] of SIGNALS.entries()) {
      const listener = () => void this.close().finally(() => Deno.exit(i === 0 ? 130 : 143));
      this.#onSignal.set(name, listener);
      Deno.addSignalListener(name, listener);
    }
  }

  async #leave(): Promise<void> {
    globalThis.removeEventListener("beforeunload", this.#onEnd);
    for (const [name, listener] of this.#onSignal) Deno.removeSignalListener(name, listener);
    const connection = this.#connection;
    const held = !this.#answered && !connection.ended;
    const left = held
      ? await resume(connection, this.#resumes, UNANSWERED_TIMEOUT_MS)
      : connection.idle && await resume(connection, this.#resumes, RESUME_TIMEOUT_MS);
    connection.end(`the connection to ${this.endpoint} was closed`);
    await connection.settled();
    // It broke, before the first answer or later, or a reply is missing. QEMU may live on, and then with
    // the guest paused.
    if (!left && !held && this.#resumes) await this.#resumeAnew();
  }

  /** Only a new connection can tell the guest to go on. */
  async #resumeAnew(): Promise<void> {
    let anew: GdbConnection;
    try {
      anew = await this.#open();
    } catch (error) {
      if (error instanceof MonitorError) return; // QEMU is gone, and the guest with it.
      throw error;
    }
    await resume(anew, true, this.#answered ? RESUME_TIMEOUT_MS : UNANSWERED_TIMEOUT_MS);
    anew.end("the guest was resumed");
    await anew.settled();
  }

  async #closeAfter(error: unknown): Promise<void> {
    // What is known to be no gdbstub has paused nothing, and must be told nothing. Damaged bytes may
    // still be those of one.
    const known = error instanceof WrongPeerError && error.peer !== "unknown";
    if (known && error.peer !== "gdbstub") this.#resumes = false;
    await this.close();
  }
}

/**
 * Puts the stub back as it was: it keeps `PhyMemMode` for its next client. `D` lets the guest run; once
 * any client has offered to know processes, the stub refuses that with `E22` and takes `D;1` only (5.2
 * to 11.1). After any other answer nothing more is sent, as a running guest is stopped by any byte.
 * Returns false if that was not confirmed.
 */
async function resume(
  connection: GdbConnection,
  run: boolean,
  timeoutMs: number,
): Promise<boolean> {
  const options = { timeoutMs };
  try {
    const [, answer] = await Promise.all([
      connection.request("Qqemu.PhyMemMode:0", options),
      run ? connection.request("D", options) : "OK",
    ]);
    return answer === "OK" ||
      answer === "E22" && await connection.request("D;1", options) === "OK";
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    return false; // The connection is at its end: whoever used it is told so by his own request.
  }
}

function greetingError(error: unknown, connection: GdbConnection, timeoutMs: number): unknown {
  const { endpoint } = connection;
  if (error instanceof ReplyTimeoutError) {
    return new NoBannerError(
      `${endpoint} accepted the connection but answered nothing within ${timeoutMs} ms: a debugger ` +
        "probably holds the gdbstub, which serves one at a time",
      timeoutMs,
      { endpoint },
    );
  }
  if (error instanceof ConnectionLostError && error.cause instanceof FramingError) {
    const peer = peerOf(connection.firstWords);
    const why = peer === "unknown" ? formatError(error.cause) : `it speaks ${peer}`;
    return new WrongPeerError(
      peer,
      `${endpoint} is no gdbstub (${why}): use the address that QEMU was given with -gdb`,
      { endpoint },
    );
  }
  return error;
}

/** What something is that a gdbstub's framing does not fit. */
function peerOf(text: string): string {
  const verdict = identifyPeer(text);
  if (verdict.kind === "monitor") return "HMP";
  return verdict.kind === "foreign" && verdict.name !== "gdbstub" ? verdict.name : "unknown";
}
