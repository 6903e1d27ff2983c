import type { GuestRegisters } from "../../arch/registers.ts";
import type { CpuRegisters } from "../../arch/default_types.ts";
import type { CpuSource } from "../../arch/cpu_source.ts";
import { formatError, InvalidArgumentError } from "../../core/errors.ts";
import { checkOptions, MILLISECONDS, type OptionShape, SIGNAL } from "../../core/options.ts";
import { atProcessEnd } from "../../core/process_end.ts";
import type { MemoryRange, PhysicalMemory } from "../../memory/physical_memory.ts";
import { MonitorMemory } from "../../memory/monitor_memory.ts";
import { type CommandLimits, LIMITS_SHAPE } from "../../monitor/_command_queue.ts";
import { runOnCpu } from "../../monitor/_run_on_cpu.ts";
import { errorFromReply, plainLines } from "../../monitor/_command_job.ts";
import { readAllRegisters } from "../../monitor/commands/registers.ts";
import { readMemoryMap, readStatus } from "../../monitor/commands/read_state.ts";
import {
  ConnectionLostError,
  MonitorError,
  NoBannerError,
  ReplyTimeoutError,
  WrongPeerError,
} from "../../monitor/errors.ts";
import { FramingError } from "../../monitor/hmp_codec.ts";
import { checkCommandOptions, type CommandOptions, type Monitor } from "../../monitor/monitor.ts";
import { identifyPeer } from "../../monitor/_greeting.ts";
import { connectSocket } from "../../monitor/socket_transport.ts";
import {
  connectOrLateAbort,
  resume,
  RESUME_TIMEOUT_MS,
  settledWithin,
  UNANSWERED_TIMEOUT_MS,
} from "./farewell.ts";
import { formatGdb, type GdbEndpoint, parseGdb } from "./endpoint.ts";
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

/** The checks of {@linkcode GdbClientOptions}. */
export const GDB_CLIENT_SHAPE: OptionShape<GdbClientOptions> = {
  ...LIMITS_SHAPE,
  connectTimeoutMs: MILLISECONDS,
  bannerTimeoutMs: MILLISECONDS,
  signal: SIGNAL,
};

/**
 * Connects to a gdbstub (`-gdb tcp:127.0.0.1:1234`, `-s`). QEMU pauses the guest for as long as the
 * connection lasts. Closing it lets the guest run on, and so does every end of the process but SIGKILL:
 * Ctrl-C and other signals from before the connection stands, an error that nobody catches, `Deno.exit()`.
 *
 * A guest that was paused before stays paused, where QEMU tells: up to 7.2 always, later ones only if it
 * was never started.
 *
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if the stub does not answer, most often as a debugger holds it
 * @throws {WrongPeerError} if the peer is not a gdbstub
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
  if (typeof endpoint !== "string") return await GdbClient.open(endpoint, options);
  const [, rest] = /^\s*gdb:(.*)$/s.exec(endpoint) ?? [];
  if (rest !== undefined) return await GdbClient.open(parseGdb(rest, endpoint), options);
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
  readonly #open: (timeoutMs: number, signal?: AbortSignal) => Promise<GdbConnection>;
  readonly #connecting: Promise<GdbConnection>;
  readonly #atProcessEnd: Disposable;
  #connection!: GdbConnection;
  #registers!: GdbRegisters;
  #memory: PhysicalMemory | null = null;
  #ranges: Promise<readonly MemoryRange[]> | null = null;
  #qemuVersion = "";
  #resumes = true;
  /**
   * False while another client holds the stub. What is sent then still counts: QEMU takes this connection,
   * and pauses the guest for it, when that client leaves, even if it has been closed by then.
   */
  #answered = false;
  #greeting: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(endpoint: GdbEndpoint, options: GdbClientOptions) {
    const { connectTimeoutMs = 5000, signal } = options;
    this.#open = async (timeoutMs, ending) =>
      new GdbConnection(
        await connectSocket(endpoint.socket, {
          timeoutMs,
          name: formatGdb(endpoint),
          qemuOption: "gdb",
          ...ending && { signal: ending },
        }),
        options,
      );
    // QEMU pauses the guest as soon as it sees the connection, so this comes first.
    this.#atProcessEnd = atProcessEnd({
      finish: () => this.close(),
      finishNow: () => this.#connection?.farewellNow(this.#resumes),
    });
    this.#connecting = connectOrLateAbort((late) => this.#open(connectTimeoutMs, late), signal)
      .then((connection) => this.#connection = connection);
  }

  /** As {@linkcode connectGdb}. */
  static async open(endpoint: GdbEndpoint, options: GdbClientOptions = {}): Promise<GdbClient> {
    checkOptions(options, "the options of a connection", GDB_CLIENT_SHAPE);
    const { bannerTimeoutMs = 3000, signal } = options;
    signal?.throwIfAborted();
    const client = new GdbClient(endpoint, options);
    const abort = Promise.withResolvers<never>();
    const onAbort = () => abort.reject(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await client.#greet(bannerTimeoutMs, abort.promise);
      return client;
    } catch (error) {
      await client.#closeAfter(error);
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
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
  registers<R extends GuestRegisters = CpuRegisters>(cpu?: number): Promise<R> {
    return this.#registers.registers(cpu) as Promise<R>;
  }

  /** Reads the registers of every vCPU. */
  allRegisters<R extends GuestRegisters = CpuRegisters>(): Promise<R[]> {
    return this.#registers.allRegisters() as Promise<R[]>;
  }

  /**
   * Runs one command of the human monitor (gdb's `monitor`) and returns its text.
   *
   * @throws {CommandRefusedError} if the command is not on the read-only list
   * @throws {MonitorError} if the connection fails, closes, or the reply is late or too large
   */
  async command(line: string, options: CommandOptions = {}): Promise<string> {
    checkCommandOptions(options);
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

  /** Ends early if `aborted` rejects: the greeting itself goes on, for the farewell to wait for. */
  async #greet(timeoutMs: number, aborted: Promise<never>): Promise<void> {
    this.#greeting = this.#talk(timeoutMs);
    await Promise.race([this.#greeting, aborted]);
  }

  async #talk(timeoutMs: number): Promise<void> {
    await this.#connecting;
    this.#registers = new GdbRegisters(this.#connection, () => readAllRegisters(this));
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
        `${endpoint} is not the gdbstub of a QEMU that serves physical memory (4.1 or later): use its -monitor`,
        { endpoint },
      );
    }
    const version = await this.command("info version", { timeoutMs });
    this.#qemuVersion = /^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "";
    this.#resumes = await this.#ranBefore();
    this.#memory = new GdbMemory({
      connection: this.#connection,
      packetBytes: parseInt(packetBytes, 16),
      ranges: () => this.#map(),
      cutsAddresses: () => this.#registers.cutsAddresses(),
      byMonitor: new MonitorMemory(this),
    });
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

  async #leave(): Promise<void> {
    try {
      const connection = await this.#connecting.catch(() => null);
      if (connection === null) return;
      // Only it tells whether the guest ran before.
      await settledWithin(this.#greeting, RESUME_TIMEOUT_MS);
      await this.#sayFarewell(connection);
    } finally {
      this.#atProcessEnd[Symbol.dispose]();
    }
  }

  async #sayFarewell(connection: GdbConnection): Promise<void> {
    const held = !this.#answered && !connection.ended;
    const mayAnswer = held || connection.responds;
    const why = `the connection to ${connection.endpoint} was closed`;
    connection.leave(why);
    const left = mayAnswer &&
      await resume(connection, this.#resumes, held ? UNANSWERED_TIMEOUT_MS : RESUME_TIMEOUT_MS);
    connection.end(why);
    await connection.settled();
    // It broke, before the first answer or later, or a reply is missing. QEMU may live on, and then with
    // the guest paused.
    if (!left && !held && this.#resumes) await this.#resumeAnew();
  }

  /** Only a new connection can tell the guest to go on. */
  async #resumeAnew(): Promise<void> {
    let anew: GdbConnection;
    try {
      anew = await this.#open(RESUME_TIMEOUT_MS);
    } catch (error) {
      if (error instanceof MonitorError) return; // QEMU is gone, and the guest with it.
      throw error;
    }
    anew.leave("the guest is to be resumed");
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

function greetingError(error: unknown, connection: GdbConnection, timeoutMs: number): unknown {
  const { endpoint } = connection;
  if (error instanceof ReplyTimeoutError) {
    return new NoBannerError(
      `${endpoint} accepted the connection but did not answer within ${timeoutMs} ms: a debugger ` +
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
      `${endpoint} is not a gdbstub (${why}): use the address that QEMU was given with -gdb`,
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
