import type { Endpoint, ParseRest } from "../monitor/endpoint.ts";
import type { ConnectHmpOptions } from "../monitor/connect_monitor.ts";
import type { RamLayout } from "./dump/ram_layout.ts";
import type { GuestSource } from "./guest_source.ts";

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
