import type { PagingContextOptions, PagingModeName } from "../arch/x86/paging_context.ts";
import type { RamLayout } from "../connectors/dump/ram_layout.ts";
import {
  BOOLEAN,
  checkOptions,
  FUNCTION,
  LIST,
  MILLISECONDS,
  oneOfWords,
  type OptionShape,
  SIGNAL,
  TEXT,
  wholeNumberFrom,
} from "../core/options.ts";
import { connectMonitor } from "../monitor/connect_monitor.ts";
import type { ConnectHmpOptions } from "../monitor/connect_hmp.ts";
import { type Endpoint, parseEndpoint } from "../monitor/endpoint/mod.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { type GuestSource, monitorSource } from "./guest_source.ts";
import { Session } from "./session.ts";

/** How to connect to a guest, and what its registers do not tell of its paging. */
export interface ConnectOptions extends ConnectHmpOptions, Omit<PagingContextOptions, "root"> {
  /**
   * A folder in which what was learnt about a Linux guest's kernel is kept, by its build: symbols and
   * offsets, nothing of the guest's data. Finding the same kernel again takes a third of the time.
   *
   * @default none
   */
  kernelCacheDir?: string;
  /**
   * The path of a new file to which every exchange with the monitor is written, for `replay:PATH`.
   *
   * @default none
   */
  record?: string;
  /**
   * The paths of the files behind the guest's RAM (`-object memory-backend-file,mem-path=…,share=on`), in
   * any order: page tables are then read from them, in microseconds. Needs `--allow-read` for them.
   *
   * @default none; memory is read through the monitor
   */
  ram?: readonly string[];
  /**
   * The kind of page tables at a `root` that is named, for a door that has no registers: raw memory.
   *
   * @default what the registers say
   */
  mode?: PagingModeName;
  /**
   * How a raw memory image lies in guest-physical memory.
   *
   * @default its offsets are addresses, if it is too small for a hole below 4 GiB
   */
  layout?: RamLayout;
  /**
   * Whether the one register of an IOMMU that points to its tables may be read. It is the only device
   * memory that ever is; without it, Linux's records tell.
   *
   * @default {true}
   */
  mmio?: boolean;
  /**
   * Told in a line what a user should know that shows only when the guest is first asked: that it is
   * paused, say by a client of its gdbstub that was killed. What is known at once is `Session.notice`.
   *
   * @default nobody is told
   */
  onNotice?(text: string): void;
}

const INSTEAD = {
  timeout: "commandTimeoutMs",
  timeoutMs: "commandTimeoutMs or connectTimeoutMs",
  physBits: "physicalAddressBits",
  maxphyaddr: "physicalAddressBits",
  kernelCache: "kernelCacheDir",
  cpu: "an option of the call that reads the tables",
  root: "an option of the call that reads the tables",
};

/** The checks of {@linkcode ConnectOptions}. */
export const CONNECT_SHAPE: OptionShape<ConnectOptions> = {
  physicalAddressBits: wholeNumberFrom(32, 52),
  privateBit: wholeNumberFrom(32, 51),
  sharedBit: wholeNumberFrom(32, 51),
  kernelCacheDir: TEXT,
  record: TEXT,
  ram: LIST,
  mode: oneOfWords("none", "4-level", "5-level", "pae", "32-bit"),
  layout: (value) =>
    ["flat", "pc", "q35"].includes(value as string) || Array.isArray(value)
      ? null
      : '"flat", "pc", "q35" or a list of ranges',
  mmio: BOOLEAN,
  commandTimeoutMs: MILLISECONDS,
  bannerTimeoutMs: MILLISECONDS,
  connectTimeoutMs: MILLISECONDS,
  maxReplyBytes: wholeNumberFrom(1),
  allowUnsafe: LIST,
  nudge: BOOLEAN,
  signal: SIGNAL,
  onNotice: FUNCTION,
};

/**
 * Connects to a guest by any door to it. Reads only, and never pauses the guest, except through a
 * gdbstub: that pauses it for as long as the session lasts.
 *
 * @param endpoint a port (`1334`), `host:port`, `tcp:…`, `telnet:…`, `unix:/path` for a monitor, human or
 * QMP; `qmp:…` and `gdb:…` before a port, `host:port` or `unix:/path`; `libvirt:DOMAIN`,
 * `libvirt:///session/DOMAIN`, `libvirt+ssh://host/DOMAIN`; `replay:/path` for a recording, `dump:/path`
 * for a dump, or `sim:` for the simulated guest, which needs no permission
 * @throws {InvalidArgumentError} if the endpoint or an option cannot be used
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if another client holds the monitor
 * @throws {WrongPeerError} if something else than a monitor answers
 * @throws {RamFileError} if a RAM file may not be read, or is not this guest's
 * @throws {DumpFormatError} if the dump is none, compressed, cut short or damaged
 * @throws {RecordingError} if a recording cannot be written, or the file to replay is none
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { verdict } = await guest.verify(0x7f1234567000n, { user: false });
 * assertEquals(verdict, "pass");
 * ```
 */
export async function connect(
  endpoint: Endpoint | string | number,
  options: ConnectOptions = {},
): Promise<Session> {
  checkOptions(options, "the options of a connection", CONNECT_SHAPE, INSTEAD);
  const parsed = typeof endpoint === "object" ? endpoint : parseEndpoint(String(endpoint));
  const source = await openSource(parsed, options);
  const { physicalAddressBits, privateBit, sharedBit, mode } = options;
  return new Session({
    source,
    ...options.kernelCacheDir !== undefined && { kernelCacheDir: options.kernelCacheDir },
    ...mode !== undefined && { mode },
    ...options.mmio !== undefined && { mmio: options.mmio },
    paging: {
      ...physicalAddressBits !== undefined && { physicalAddressBits },
      ...privateBit !== undefined && { privateBit },
      ...sharedBit !== undefined && { sharedBit },
    },
  });
}

// Each way in is loaded only where it is taken, so that a check over a monitor does not pay for it.

async function openSource(endpoint: Endpoint, options: ConnectOptions): Promise<GuestSource> {
  const source = await openDoor(endpoint, options);
  if (!options.ram?.length) return source;
  const { withRamFiles } = await import("./ram_files.ts");
  return await withRamFiles(source, options);
}

/** Opens the door that an endpoint names. A further kind of door is one more case here. */
async function openDoor(endpoint: Endpoint, options: ConnectOptions): Promise<GuestSource> {
  switch (endpoint.scheme) {
    case "dump":
      return await (await import("./dump_door.ts")).openDumpDoor(endpoint, options);
    case "gdb":
      return await (await import("./gdb_door.ts")).openGdbDoor(endpoint, options);
    default:
      return await openMonitorDoor(endpoint, options);
  }
}

async function openMonitorDoor(endpoint: Endpoint, options: ConnectOptions): Promise<GuestSource> {
  const reopenMonitor = () => openMonitor(endpoint, options);
  const { onNotice } = options;
  const parts = { reopenMonitor, ...onNotice && { onNotice } };
  if (options.record === undefined) return monitorSource(await reopenMonitor(), parts);
  const { record, requireRecordable } = await import("../monitor/recording/recorder.ts");
  await requireRecordable(options.record);
  const monitor = await reopenMonitor();
  try {
    const recorded = await record(options.record, monitor, { endpointKind: endpoint.scheme });
    return monitorSource(recorded, parts);
  } catch (error) {
    await monitor.close();
    throw error;
  }
}

async function openMonitor(endpoint: Endpoint, options: ConnectOptions): Promise<Monitor> {
  switch (endpoint.scheme) {
    case "replay":
      return await (await import("../monitor/recording/replay_monitor.ts")).openReplay(
        endpoint,
        options,
      );
    case "libvirt":
    case "libvirt+ssh": {
      const { LibvirtClient } = await import("../connectors/libvirt/libvirt_client.ts");
      return await LibvirtClient.open(endpoint, options);
    }
    case "sim": {
      const { simulatedGuest } = await import("../testing/mod.ts");
      const { HmpClient } = await import("../monitor/hmp_client.ts");
      return await HmpClient.open(simulatedGuest().transport(), options);
    }
    default:
      return await connectMonitor(endpoint, options);
  }
}
