import type { ReadOptions } from "../memory/physical_memory.ts";
import type { Reader } from "./reader.ts";

/** A piece of memory to read. */
export interface Piece {
  /** Its first address. */
  readonly address: bigint;
  /** Its length in bytes. */
  readonly lengthBytes: number;
}

/** Why a piece could not be read. */
export interface Unread {
  readonly error: unknown;
}

/** Pieces with less than this between them are read at once: a command costs as much as reading 1 KiB. */
export const GAP_BYTES = 1024;
/** What one read of several pieces has at most: QEMU answers nobody else meanwhile. */
const TOGETHER_BYTES = 16 * 1024;

/** Neighbours among pieces: what one read serves. */
interface Neighbours {
  readonly start: bigint;
  end: bigint;
  readonly members: number[];
}

/**
 * Reads many pieces of memory: those that lie near each other in one read, and all reads at once, over a
 * monitor in one packet. The kernel's allocator puts structures of one kind next to each other, so that
 * a list of thousands takes some hundred reads. Where a piece cannot be read its error is in its place: a
 * pointer out of memory that was freed may lead anywhere.
 *
 * @param options `gapBytes`: how far from each other pieces may lie that are read at once
 */
export async function readTogether(
  reader: Reader,
  pieces: readonly Piece[],
  options: ReadOptions & { readonly gapBytes?: number } = {},
): Promise<(Uint8Array | Unread)[]> {
  const { gapBytes = GAP_BYTES } = options;
  const found = new Array<Uint8Array | Unread>(pieces.length);
  await Promise.all(
    neighbours(pieces, BigInt(gapBytes)).map(async ({ start, end, members }) => {
      const whole = await attempt(reader, start, Number(end - start), options);
      await Promise.all(members.map(async (i) => {
        const { address, lengthBytes } = pieces[i]!;
        const at = Number(address - start);
        found[i] = whole instanceof Uint8Array
          ? whole.subarray(at, at + lengthBytes)
          : members.length === 1
          ? whole
          // Something between them could not be read, or one of them.
          : await attempt(reader, address, lengthBytes, options);
      }));
    }),
  );
  return found;
}

function neighbours(pieces: readonly Piece[], gapBytes: bigint): Neighbours[] {
  const order = pieces.map((_, i) => i)
    .sort((a, b) => pieces[a]!.address < pieces[b]!.address ? -1 : 1);
  const groups: Neighbours[] = [];
  for (const i of order) {
    const { address, lengthBytes } = pieces[i]!;
    const end = address + BigInt(lengthBytes);
    const last = groups.at(-1);
    const isNear = last && address < last.end + gapBytes &&
      end <= last.start + BigInt(TOGETHER_BYTES);
    if (isNear) {
      last.members.push(i);
      if (end > last.end) last.end = end;
    } else {
      groups.push({ start: address, end, members: [i] });
    }
  }
  return groups;
}

async function attempt(
  reader: Reader,
  address: bigint,
  lengthBytes: number,
  options: ReadOptions,
): Promise<Uint8Array | Unread> {
  try {
    return await reader.read(address, lengthBytes, options);
  } catch (error) {
    return { error };
  }
}
