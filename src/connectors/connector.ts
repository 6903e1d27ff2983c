import type { Endpoint, ParseRest } from "../monitor/endpoint.ts";
import type { ConnectHmpOptions } from "../monitor/connect_monitor.ts";
import type { RamLayout } from "./dump/ram_layout.ts";
import { checkOptions, FUNCTION, OBJECT, type OptionShape } from "../core/options.ts";
import { PagewalkError } from "../core/errors.ts";
import type { CpuSource } from "../arch/cpu_source.ts";
import { MonitorMemory } from "../memory/monitor_memory.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import { type GuestStatus, readStatus } from "../monitor/commands/read_state.ts";
import { readAllRegisters, readRegisters } from "../monitor/commands/registers.ts";
import type { Monitor } from "../monitor/monitor.ts";

/** What a connector may be told; each takes what concerns it, and refuses what cannot be. */
export interface OpenOptions extends ConnectHmpOptions {
  /**
   * The path of a new file to which every exchange with the monitor is written, for `replay:PATH`.
   *
   * @default none
   */
  record?: string;
  /**
   * How a raw memory image lies in guest-physical memory.
   *
   * @default its offsets are addresses, if it is too small for a hole below 4 GiB
   */
  layout?: RamLayout;
  /**
   * Told in a line what a user should know that shows only when the guest is first asked: that it is
   * paused, say by a client of its gdbstub that was killed. What is known at once is `Session.notice`.
   *
   * @default nobody is told
   */
  onNotice?(text: string): void;
}

/**
 * A way to connect to guests. {@linkcode registerConnector} makes it known to `connect()`, to
 * `parseEndpoint()` and to all that write endpoints and permissions.
 *
 * @typeParam E what it connects to
 */
export interface Connector<E extends Endpoint = Endpoint> {
  /** What it is called, such as `gdbstub`. */
  readonly name: string;
  /** How its endpoints are written, in usage texts: `gdb:…`. */
  readonly usage: string;
  /** How what follows the colon is read, by the scheme before it. A scheme is small letters and `+`. */
  readonly schemes: Readonly<Record<string, ParseRest<E>>>;
  /** Writes an endpoint the way a user would type it. */
  describe(endpoint: E): string;
  /** The permissions that opening an endpoint takes, each of them needed. */
  permissions(endpoint: E): Deno.PermissionDescriptor[];
  /**
   * Connects.
   *
   * @throws {InvalidArgumentError} if an option is none for this connector
   * @throws {ConnectError} if no connection comes about
   */
  open(endpoint: E, options: OpenOptions): Promise<GuestSource>;
}

/**
 * What a connector opens, whatever it is: a monitor, a gdbstub, a dump. Registers and memory are what
 * every one has; a {@linkcode Session} needs no more.
 */
export interface GuestSource {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  /** QEMU's version, such as `7.2.22`; empty if the connector does not tell. */
  readonly qemuVersion: string;
  /** Where registers are asked for. */
  readonly cpus: CpuSource;
  /** Where the tables are read; only RAM and ROM. */
  readonly memory: PhysicalMemory;
  /** The monitor, where there is one. A dump has none. */
  readonly monitor?: Monitor;
  /** What a user should know of this connection, in one line: that it pauses the guest, how old a dump is. */
  readonly notice?: string;
  /** Takes the guest's status from who has asked for it, as whoever pauses it does: for the notice. */
  noteStatus?(status: GuestStatus): void;
  /** Opens the monitor again, for resuming a frozen guest whose connection broke. */
  reopenMonitor?(): Promise<Monitor>;
  /** Closes the connection and leaves the guest as it was. May be called twice. */
  close(): Promise<void>;
}

/** A monitor was asked for, and the connector has none. */
export class NoMonitorError extends PagewalkError {
  /** What the session is connected to, as a user would type it. */
  readonly endpoint: string;

  /** Creates the error for one session. */
  constructor(endpoint: string) {
    super(
      `${endpoint} has no monitor: its registers and memory can be read, but no command be run; ` +
        "for commands, connect to the guest's -monitor or -qmp",
    );
    this.endpoint = endpoint;
  }
}

/** What makes a monitor more than a monitor. */
export interface MonitorSourceOptions {
  /**
   * Where the guest's memory is read.
   *
   * @default the monitor's `xp`
   */
  memory?: PhysicalMemory;
  /** Opens the monitor again. */
  reopenMonitor?(): Promise<Monitor>;
  /** Told what a user should know that shows only when the guest is first asked: that it is paused. */
  onNotice?(text: string): void;
}

const MONITOR_SOURCE_SHAPE: OptionShape<MonitorSourceOptions> = {
  memory: OBJECT,
  reopenMonitor: FUNCTION,
  onNotice: FUNCTION,
};

/**
 * A monitor as the way to a guest: registers by `info registers`, memory by `xp`. With the first
 * registers it asks in the same packet where RAM is, for the reads that follow, and whether the guest
 * runs.
 *
 * @example Usage
 * ```ts
 * import { HmpClient, Session } from "@pagewalk/pagewalk";
 * import { monitorSource } from "@pagewalk/pagewalk/extend";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const monitor = await HmpClient.open(simulatedGuest().transport());
 * await using guest = new Session({ source: monitorSource(monitor) });
 * assertEquals((await guest.verify(0x7f1234567000n)).verdict, "pass");
 * ```
 */
export function monitorSource(monitor: Monitor, options: MonitorSourceOptions = {}): GuestSource {
  checkOptions(options, "the options of a source", MONITOR_SOURCE_SHAPE);
  const { memory = new MonitorMemory(monitor), reopenMonitor, onNotice } = options;
  let [askedAhead, isNoted] = [false, false];
  const noteStatus = (status: GuestStatus) => {
    if (!isNoted && onNotice) noteIfPaused(status, onNotice);
    isNoted = true;
  };
  const askAhead = () => {
    if (askedAhead) return;
    askedAhead = true;
    // If either fails, nobody has asked yet: whoever does is told then. A recording need not hold them.
    if (memory instanceof MonitorMemory) memory.ranges().catch(() => {});
    if (onNotice && !isNoted) readStatus(monitor).then(noteStatus, () => {});
  };
  return {
    endpoint: monitor.endpoint,
    qemuVersion: monitor.qemuVersion,
    cpus: {
      registers(cpu) {
        const registers = readRegisters(monitor, cpu === undefined ? {} : { cpu });
        askAhead();
        return registers;
      },
      allRegisters() {
        const all = readAllRegisters(monitor);
        askAhead();
        return all;
      },
    },
    memory,
    monitor,
    ...reopenMonitor && { reopenMonitor },
    noteStatus,
    close: () => monitor.close(),
  };
}

/** QEMU's reasons for a pause that `cont` does not end, and what they mean. */
const NOT_RESUMABLE: Readonly<Record<string, string>> = {
  inmigrate: "it waits for a migration to come in",
  postmigrate: "it has been migrated away",
  "finish-migrate": "its migration is about to end",
  "restore-vm": "its state is being loaded",
  "save-vm": "its state is being saved",
  shutdown: "it has shut down",
  "guest-panicked": "its kernel has panicked",
};

function noteIfPaused({ running, detail }: GuestStatus, onNotice: (text: string) => void): void {
  if (running) return;
  const why = NOT_RESUMABLE[detail] ??
    (detail === ""
      ? 'by a user, or by a client of its gdbstub that was killed; "cont" at its monitor resumes it'
      : '"cont" at its monitor resumes it');
  onNotice(`the guest is paused${detail === "" ? "" : ` (${detail})`}: ${why}`);
}

/**
 * Opens a monitor as the way to a guest, and records what is said on it if that is wanted.
 *
 * @param scheme what a recording is to say of where it was made
 * @throws {RecordingError} if the recording cannot be written
 * @throws whatever opening the monitor throws
 */
export async function openMonitorSource(
  scheme: string,
  reopenMonitor: () => Promise<Monitor>,
  { record: path, onNotice }: OpenOptions,
): Promise<GuestSource> {
  const parts = { reopenMonitor, ...onNotice && { onNotice } };
  if (path === undefined) return monitorSource(await reopenMonitor(), parts);
  const { record, requireRecordable } = await import("../monitor/recording/recorder.ts");
  await requireRecordable(path);
  const monitor = await reopenMonitor();
  try {
    return monitorSource(await record(path, monitor, { endpointKind: scheme }), parts);
  } catch (error) {
    await monitor.close();
    throw error;
  }
}
