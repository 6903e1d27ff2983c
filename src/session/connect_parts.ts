import { knownModes } from "../arch/architectures.ts";
import type { PagingContextOptions } from "../arch/default_types.ts";
import type { GuestSource, OpenOptions } from "../connectors/connector.ts";
import { connectorBy, connectorOf, parseEndpoint } from "../connectors/registry.ts";
import {
  BOOLEAN,
  checkOptions,
  FUNCTION,
  given,
  LIST,
  MILLISECONDS,
  oneOfWords,
  type OptionShape,
  SIGNAL,
  TEXT,
  wholeNumberFrom,
} from "../core/options.ts";
import type { Endpoint } from "../monitor/endpoint.ts";
import { GuestSession, type SessionInit } from "./guest_session.ts";
import "../connectors/human_monitor.ts";

/** How to connect to a guest, and what its registers do not tell of its paging. */
export interface ConnectOptions extends OpenOptions, Omit<PagingContextOptions, "root"> {
  /**
   * A folder in which what was learned about a Linux guest's kernel is kept, by its build: symbols and
   * offsets, nothing of the guest's data. Finding the same kernel again takes a third of the time.
   *
   * @default none
   */
  kernelCacheDir?: string;
  /**
   * Files with the types (BTF) of a Linux guest's kernel that was built without: raw, as `pahole
   * --btf_encode_detached` writes it, or a vmlinux with a section `.BTF`; then modules'. They are checked
   * against the kernel's build id if both have one; if not, `onNotice` is called. Needs `--allow-read`
   * for them.
   *
   * @default none; types are read from the guest's memory
   */
  btf?: readonly string[];
  /**
   * The path of the ELF file of the guest's kernel, for kernels that are not Linux: xv6 and those like it,
   * which keep their processes in one array. It needs debugging data (`-g`), and `--allow-read` for it.
   *
   * @default none; processes are Linux's
   */
  kernel?: string;
  /**
   * The paths of the files behind the guest's RAM (`-object memory-backend-file,mem-path=…,share=on`), in
   * any order: page tables are then read from them, in microseconds. Needs `--allow-read` for them.
   *
   * @default none; memory is read through the monitor
   */
  ram?: readonly string[];
  /**
   * The kind of page tables at a `root` that is named, for a connector that has no registers, such as
   * raw memory: `4-level`, `5-level`, `pae`, `32-bit`, `none`; `Sv32`, `Sv39`, `Sv48`, `Sv57`.
   *
   * @default what the registers say
   */
  mode?: string;
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
  types: "btf",
  cpu: "an option of the call that reads the tables",
  root: "an option of the call that reads the tables",
};

/** The checks of {@linkcode ConnectOptions}. */
export const CONNECT_SHAPE: OptionShape<ConnectOptions> = {
  physicalAddressBits: wholeNumberFrom(32, 52),
  privateBit: wholeNumberFrom(32, 51),
  sharedBit: wholeNumberFrom(32, 51),
  kernel: TEXT,
  kernelCacheDir: TEXT,
  btf: LIST,
  record: TEXT,
  ram: LIST,
  mode: (value) => oneOfWords(...knownModes())(value),
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
 * Opens a guest by any connector, and returns what a session is made of.
 *
 * @throws whatever `connect()` throws
 */
export async function connectedParts(
  endpoint: Endpoint | string | number,
  options: ConnectOptions,
): Promise<SessionInit> {
  checkOptions(options, "the options of a connection", CONNECT_SHAPE, INSTEAD);
  const parsed = await endpointOf(typeof endpoint === "object" ? endpoint : String(endpoint));
  const source = await openSource(parsed, options);
  const { physicalAddressBits, privateBit, sharedBit, mode } = options;
  return {
    source,
    ...given({
      kernel: options.kernel,
      kernelCacheDir: options.kernelCacheDir,
      btf: options.btf,
      onNotice: options.onNotice,
      mode,
      mmio: options.mmio,
    }),
    paging: {
      ...given({ physicalAddressBits, privateBit, sharedBit }),
    },
  };
}

/** Reads an endpoint; the other connectors are loaded only where its scheme asks for one of them. */
async function endpointOf(endpoint: Endpoint | string): Promise<Endpoint> {
  const isText = typeof endpoint === "string";
  const scheme = isText ? /^\s*([a-z+]+):/.exec(endpoint)?.[1] : endpoint.scheme;
  if (scheme !== undefined && connectorBy(scheme) === undefined) {
    await import("../connectors/table.ts");
  }
  return isText ? parseEndpoint(endpoint) : endpoint;
}

async function openSource(endpoint: Endpoint, options: ConnectOptions): Promise<GuestSource> {
  const source = await connectorOf(endpoint).open(endpoint, options);
  if (!options.ram?.length) return source;
  // Loaded only where it is used.
  const { withRamFiles } = await import("./ram_files.ts");
  return await withRamFiles(source, options);
}

/**
 * Connects as `connect()` does, for checks of single addresses: what looks at ranges and whole address
 * spaces is not loaded.
 *
 * @throws whatever `connect()` throws
 */
export async function connectForCheck<E extends Endpoint>(
  endpoint: E | string | number,
  options: ConnectOptions = {},
): Promise<GuestSession> {
  return new GuestSession(await connectedParts(endpoint, options));
}
