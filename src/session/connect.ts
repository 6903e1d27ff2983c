import type { PagingContextOptions, PagingModeName } from "../arch/x86/paging_context.ts";
import type { OpenOptions } from "../connectors/connector.ts";
import { parseEndpoint } from "../connectors/endpoints.ts";
import type { GuestSource } from "../connectors/guest_source.ts";
import { connectorOf } from "../connectors/registry.ts";
import "../connectors/table.ts";
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
import type { Endpoint } from "../monitor/endpoint/mod.ts";
import { Session } from "./session.ts";

/** How to connect to a guest, and what its registers do not tell of its paging. */
export interface ConnectOptions extends OpenOptions, Omit<PagingContextOptions, "root"> {
  /**
   * A folder in which what was learnt about a Linux guest's kernel is kept, by its build: symbols and
   * offsets, nothing of the guest's data. Finding the same kernel again takes a third of the time.
   *
   * @default none
   */
  kernelCacheDir?: string;
  /**
   * The paths of the files behind the guest's RAM (`-object memory-backend-file,mem-path=…,share=on`), in
   * any order: page tables are then read from them, in microseconds. Needs `--allow-read` for them.
   *
   * @default none; memory is read through the monitor
   */
  ram?: readonly string[];
  /**
   * The kind of page tables at a `root` that is named, for a connector that has no registers: raw memory.
   *
   * @default what the registers say
   */
  mode?: PagingModeName;
  /**
   * Whether the one register of an IOMMU that points to its tables may be read. It is the only device
   * memory that ever is; without it, Linux's records tell.
   *
   * @default {true}
   */
  mmio?: boolean;
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
 * Connects to a guest by any connector. Reads only, and never pauses the guest, except through a
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
export async function connect<E extends Endpoint>(
  endpoint: E | string | number,
  options: ConnectOptions = {},
): Promise<Session> {
  checkOptions(options, "the options of a connection", CONNECT_SHAPE, INSTEAD);
  const parsed: Endpoint = typeof endpoint === "object"
    ? endpoint
    : parseEndpoint(String(endpoint));
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

async function openSource(endpoint: Endpoint, options: ConnectOptions): Promise<GuestSource> {
  const source = await connectorOf(endpoint).open(endpoint, options);
  if (!options.ram?.length) return source;
  // Loaded only where it is used.
  const { withRamFiles } = await import("./ram_files.ts");
  return await withRamFiles(source, options);
}
