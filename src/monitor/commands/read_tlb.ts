import { ReplyParseError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";

/**
 * One row of `info tlb`: a page, and the flags of the entry that maps it. These are the leaf's alone;
 * the levels above may take rights away.
 */
export interface TlbRow {
  /** The page's virtual address; sign-extended in 4- and 5-level modes only. */
  virtualAddress: bigint;
  /** The frame's physical address. In PAE mode bit 63 may stand in it, PSE-36 bits are missing. */
  physicalAddress: bigint;
  /** XD is set: the page may not be executed. */
  noExecute: boolean;
  /** G is set. */
  global: boolean;
  /** PS is set: a large page, of whichever size. */
  large: boolean;
  /** D is set. */
  dirty: boolean;
  /** A is set. */
  accessed: boolean;
  /** PCD is set. */
  cacheDisable: boolean;
  /** PWT is set. */
  writeThrough: boolean;
  /** U/S is set. */
  user: boolean;
  /** R/W is set. */
  writable: boolean;
}

const ROW =
  /^([0-9a-f]{8,16}): ([0-9a-f]{8,16}) ([X-])([G-])([P-])([D-])([A-])([C-])([T-])([U-])([W-])$/;

/**
 * Reads `info tlb`: `ffff888000000000: 0000000000000000 XG-DA---W`, one row for each leaf (5.2 to
 * 11.1). With paging off QEMU prints `PG disabled`, which gives null.
 *
 * @throws {ReplyParseError} if a line is not a row
 */
export function parseTlb(reply: string): TlbRow[] | null {
  if (reply.trim() === "PG disabled") return null;
  return reply.split("\n").filter((line) => line !== "").map(parseRow);
}

function parseRow(line: string): TlbRow {
  const match = ROW.exec(line);
  if (match === null) throw new ReplyParseError("info tlb", line, '"VA: PA XGPDACTUW"');
  const [, virtualAddress, physicalAddress, x, g, p, d, a, c, t, u, w] = match;
  return {
    virtualAddress: BigInt(`0x${virtualAddress}`),
    physicalAddress: BigInt(`0x${physicalAddress}`),
    noExecute: x !== "-",
    global: g !== "-",
    large: p !== "-",
    dirty: d !== "-",
    accessed: a !== "-",
    cacheDisable: c !== "-",
    writeThrough: t !== "-",
    user: u !== "-",
    writable: w !== "-",
  };
}

/**
 * Lists every page that a vCPU's tables map now, as QEMU sees them (`info tlb`); null with paging off.
 * A whole guest may give 500,000 rows.
 *
 * QEMU does not notice page tables that lead back to themselves: where one top entry leads to a table whose
 * 512 entries lead to itself, it lists for days, and only SIGKILL ends it, and the guest with it. So this
 * needs `allowUnsafe: ["info tlb"]`, here or on the connection, and is for guests that one trusts or can
 * lose. `Session.mappings` lists the same without that risk.
 *
 * @throws {CommandRefusedError} if `info tlb` was not allowed
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readTlb } from "@pagewalk/pagewalk";
 * import { assert } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const rows = await readTlb(guest.monitor, { allowUnsafe: ["info tlb"] });
 * assert(rows?.some((row) => row.user && row.noExecute));
 * ```
 */
export async function readTlb(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<TlbRow[] | null> {
  return parseTlb(await monitor.command("info tlb", options));
}
