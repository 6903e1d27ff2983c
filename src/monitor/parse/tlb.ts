import { ReplyParseError } from "../errors.ts";

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
