import { KernelFormatError } from "../errors.ts";
import { type Reader, viewOf } from "../reader.ts";
import {
  alignUp,
  continuesOffsets,
  decodeMarkers,
  findTokens,
  looksLikeSeqs,
  offsetKinds,
  PROBE_BYTES,
} from "./_shapes.ts";
import { nameExtent, TOKEN_TABLE_BYTES } from "./names.ts";
import {
  BLOCK_SYMBOLS,
  type KallsymsTables,
  markerCount,
  MAX_SYMBOLS,
  type OffsetKind,
} from "./tables.ts";

/** Where to look for kallsyms. */
export interface KallsymsRegion {
  /** The first virtual address of the read-only data. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** The virtual address of `_text`. */
  readonly text: bigint;
}

/** Options of {@linkcode locateKallsyms}. */
export interface LocateKallsymsOptions {
  /**
   * Reads the names of kernels before 6.2, all of which must be read to find what follows them: a
   * reader that keeps them spares reading them again.
   *
   * @default the reader that all else is read by
   */
  namesReader?: Reader;
}

/** A table of 4 bytes a symbol is longer than this in any kernel that has its symbols. */
const STRIDE_BYTES = 128 * 1024;
const FINE_STRIDE_BYTES = 32 * 1024;
const FEWEST_SYMBOLS = 4096;
/** How far names may run from the last marker to the end: 256 of them. */
const LAST_BLOCK_BYTES = BLOCK_SYMBOLS * 80;
const NAMES_CHUNK_BYTES = 64 * 1024;

/**
 * Finds the tables of kallsyms in a kernel's read-only data, without knowing anything of the kernel.
 * Its table of offsets is so long that looking every 128 KiB meets it, and so regular that 64 bytes of
 * it are enough; the other tables follow from it. There are three arrangements, none of which says so:
 *
 * ```text
 * A (to 6.3)   offsets  relative_base  num_syms  names  markers  [seqs]  token_table  token_index
 * B (from 6.4) num_syms  names  markers  token_table  token_index  offsets  relative_base  seqs
 * C (from 7.0) num_syms  names  markers  token_table  token_index  offsets  seqs
 * ```
 *
 * @throws {KernelFormatError} if there are none
 */
export async function locateKallsyms(
  reader: Reader,
  region: KallsymsRegion,
  options: LocateKallsymsOptions = {},
): Promise<KallsymsTables> {
  const search = new Search(reader, region, options.namesReader ?? reader);
  for (const stride of [STRIDE_BYTES, FINE_STRIDE_BYTES]) {
    const found = await search.run(stride);
    if (found) return found;
  }
  throw new KernelFormatError(
    "symbol table (kallsyms)",
    "nothing in its read-only data looks like one; it may have been built without",
    region.start,
  );
}

/** The numbers here are distances from the start of the region: they fit in 53 bits. */
class Search {
  readonly #reader: Reader;
  readonly #namesReader: Reader;
  readonly #region: KallsymsRegion;
  readonly #size: number;
  /** Tables of offsets that turned out to be something else: not to be tried twice. */
  readonly #refused: { start: number; end: number }[] = [];

  constructor(reader: Reader, region: KallsymsRegion, namesReader: Reader) {
    this.#reader = reader;
    this.#namesReader = namesReader;
    this.#region = region;
    // A kernel's image is below 1 GiB, so this bounds what a forged page table makes us read.
    this.#size = Math.min(Number(region.end - region.start), 2 ** 30);
  }

  async run(stride: number): Promise<KallsymsTables | null> {
    for (let at = 0; at + PROBE_BYTES <= this.#size; at += stride) {
      if (this.#refused.some(({ start, end }) => at >= start && at < end)) continue;
      const probe = await this.#read(at, PROBE_BYTES);
      for (const kind of offsetKinds(probe)) {
        const found = await this.#fromOffsets(at, kind);
        if (found) return found;
      }
    }
    return null;
  }

  async #fromOffsets(hit: number, kind: OffsetKind): Promise<KallsymsTables | null> {
    const belongs = async (at: number) =>
      at >= 0 && at + PROBE_BYTES <= this.#size &&
      continuesOffsets(await this.#read(at, PROBE_BYTES), kind);
    const last = await farthest(hit, +PROBE_BYTES, belongs);
    if (kind === "self") {
      const first = await farthest(hit, -PROBE_BYTES, belongs);
      const found = await this.#tokensBefore(kind, first, last, null);
      if (!found) this.#refused.push({ start: first, end: last });
      return found;
    }
    const base = await this.#relativeBase(last);
    if (!base) return null;
    const namesAfter = await this.#namesAfter(kind, base);
    if (namesAfter) return namesAfter;
    const first = await farthest(hit, -PROBE_BYTES, belongs);
    return await this.#tokensBefore(kind, first, last, base);
  }

  /** The 64-bit `_text` that follows the offsets. */
  async #relativeBase(last: number): Promise<RelativeBase | null> {
    const from = alignUp(last, 8);
    const bytes = await this.#read(from, 3 * PROBE_BYTES);
    const view = viewOf(bytes);
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const value = view.getBigUint64(at, true);
      if (value === this.#region.text) return { at: from + at, value };
    }
    return null;
  }

  /** Arrangement A: the number of symbols and the names follow the base. */
  async #namesAfter(kind: OffsetKind, base: RelativeBase): Promise<KallsymsTables | null> {
    const head = await this.#read(base.at + 8, 8);
    if (head.length < 8) return null;
    const count = viewOf(head).getUint32(0, true);
    const offsets = base.at - alignUp(count * 4, 8);
    if (count < FEWEST_SYMBOLS || count > MAX_SYMBOLS || offsets < 0) return null;
    const names = base.at + 16;
    const tail = await this.#tailBySeqs(names, count) ?? await this.#tailByNames(names, count);
    if (!tail) return null;
    return this.#tables(kind, base, count, { ...tail, offsets, names });
  }

  /** The tables behind the names, found by their symbol numbers (6.1.42 and later). */
  async #tailBySeqs(names: number, count: number): Promise<Tail | null> {
    const stride = Math.min(64 * 1024, count);
    const belongs = async (at: number) => {
      const bytes = await this.#read(at, PROBE_BYTES);
      return bytes.length === PROBE_BYTES && looksLikeSeqs(bytes, count);
    };
    const end = Math.min(this.#size, names + count * 32);
    for (let at = names + count * 4; at < end; at += stride) {
      if (!(await belongs(at))) continue;
      const last = await farthest(at, PROBE_BYTES, belongs);
      const from = alignUp(last, 8);
      const bytes = await this.#read(from, TOKEN_TABLE_BYTES + 1024);
      const tokens = findTokens(bytes, 0, 4 * PROBE_BYTES);
      if (!tokens) return null;
      const tokenTable = from + tokens.table;
      const seqs = tokenTable - alignUp(count * 3, 8);
      const markers = seqs - alignUp(markerCount(count) * 4, 8);
      if (markers <= names) return null;
      return await this.#hasMarkers(markers, count) ? { markers, seqs, tokenTable } : null;
    }
    return null;
  }

  /** The same where the symbols have no numbers: reads all names. */
  async #tailByNames(names: number, count: number): Promise<Tail | null> {
    const end = await this.#endOfNames(names, count);
    if (end === null) return null;
    const markers = alignUp(end, 8);
    if (!(await this.#hasMarkers(markers, count))) return null;
    const from = markers + markerCount(count) * 4;
    const bytes = await this.#read(from, TOKEN_TABLE_BYTES + 1024);
    const tokens = findTokens(bytes, 0, 8);
    return tokens && { markers, seqs: null, tokenTable: from + tokens.table };
  }

  async #endOfNames(names: number, count: number): Promise<number | null> {
    let at = names;
    let chunk: Uint8Array = new Uint8Array(0);
    let chunkAt = at;
    for (let i = 0; i < count;) {
      const extent = nameExtent(chunk, at - chunkAt);
      if (extent) {
        if (extent.end === extent.start) return null;
        at = chunkAt + extent.end;
        i++;
        continue;
      }
      if (at === chunkAt && chunk.length > 0) return null;
      chunk = await this.#read(at, NAMES_CHUNK_BYTES, this.#namesReader);
      chunkAt = at;
      if (chunk.length === 0) return null;
    }
    return at;
  }

  /** Arrangements B and C: the tokens and all else lie before the offsets. */
  async #tokensBefore(
    kind: OffsetKind,
    first: number,
    last: number,
    base: RelativeBase | null,
  ): Promise<KallsymsTables | null> {
    // The token index and the markers look like ascending offsets too: `first` may lie in either.
    const from = Math.max(0, first - TOKEN_TABLE_BYTES) & ~7;
    const markerBytes = alignUp((last - first) / BLOCK_SYMBOLS, 8);
    const to = first + markerBytes + TOKEN_TABLE_BYTES + 1024;
    const bytes = await this.#read(from, to - from);
    const tokens = findTokens(bytes, 0, bytes.length - 512);
    if (!tokens) return null;
    const tokenTable = from + tokens.table;
    const offsets = from + tokens.index + 512;
    const end = base?.at ?? last + PROBE_BYTES;
    const about = Math.floor((end - offsets) / 4);
    const slack = base ? 1 : PROBE_BYTES / 4;
    const align = base ? 8 : 4;
    const named = await this.#namesBefore(tokenTable, about, slack, align);
    if (!named) return null;
    const seqs = base ? base.at + 8 : offsets + 4 * named.count;
    const hasSeqs = looksLikeSeqs(await this.#read(seqs, PROBE_BYTES), named.count);
    return this.#tables(kind, base, named.count, {
      ...named,
      offsets,
      tokenTable,
      seqs: hasSeqs ? seqs : null,
    });
  }

  /** The names that end where the markers begin, and the number of symbols before them. */
  async #namesBefore(
    tokenTable: number,
    about: number,
    slack: number,
    align: number,
  ): Promise<{ names: number; markers: number; count: number } | null> {
    if (about - slack < FEWEST_SYMBOLS || about + slack > MAX_SYMBOLS) return null;
    for (const blocks of new Set([markerCount(about - slack), markerCount(about + slack)])) {
      const markers = tokenTable - alignUp(blocks * 4, align);
      if (markers < 0) continue;
      const bytes = await this.#read(markers, blocks * 4);
      const decoded = decodeMarkers(bytes, blocks * BLOCK_SYMBOLS);
      if (!decoded) continue;
      const lastMarker = decoded.at(-1)!;
      const from = alignUp(markers - lastMarker - LAST_BLOCK_BYTES, align);
      if (from < 0) continue;
      const head = await this.#read(from, LAST_BLOCK_BYTES + 8);
      const tail = await this.#read(from + lastMarker, markers - from - lastMarker);
      const view = viewOf(head);
      for (let at = 0; at + align <= head.length; at += align) {
        const count = view.getUint32(at, true);
        if (Math.abs(count - about) > slack || markerCount(count) !== blocks) continue;
        const lastBlock = count - (blocks - 1) * BLOCK_SYMBOLS;
        const end = endOfBlock(tail, at + align, lastBlock);
        if (end !== null && tail.length - end < align) {
          return { names: from + at + align, markers, count };
        }
      }
    }
    return null;
  }

  async #hasMarkers(markers: number, count: number): Promise<boolean> {
    return decodeMarkers(await this.#read(markers, markerCount(count) * 4), count) !== null;
  }

  #tables(
    offsetKind: OffsetKind,
    base: RelativeBase | null,
    count: number,
    at: Tail & { offsets: number; names: number },
  ): KallsymsTables {
    const address = (distance: number) => this.#region.start + BigInt(distance);
    return {
      count,
      offsetKind,
      relativeBase: base?.value ?? 0n,
      offsets: address(at.offsets),
      names: address(at.names),
      namesBytes: at.markers - at.names,
      markers: address(at.markers),
      seqs: at.seqs === null ? null : address(at.seqs),
      tokenTable: address(at.tokenTable),
    };
  }

  /** Reads what of a range lies in the region. */
  async #read(at: number, lengthBytes: number, reader = this.#reader): Promise<Uint8Array> {
    const length = Math.min(lengthBytes, this.#size - at);
    if (at < 0 || length <= 0) return new Uint8Array(0);
    return await reader.read(this.#region.start + BigInt(at), length);
  }
}

interface RelativeBase {
  readonly at: number;
  readonly value: bigint;
}

interface Tail {
  readonly markers: number;
  readonly seqs: number | null;
  readonly tokenTable: number;
}

/** Where so many names end; null if the bytes end before them. */
function endOfBlock(bytes: Uint8Array, start: number, count: number): number | null {
  let at = start;
  for (let i = 0; i < count; i++) {
    const extent = nameExtent(bytes, at);
    if (!extent || extent.end === extent.start) return null;
    at = extent.end;
  }
  return at;
}

/**
 * The farthest place in steps from a start where a test that fails once fails from there on still
 * holds: doubles the distance, then halves it.
 */
async function farthest(
  start: number,
  step: number,
  holds: (at: number) => Promise<boolean>,
): Promise<number> {
  let good = 0;
  let bad = 1024;
  while (await holds(start + bad * step)) {
    good = bad;
    bad *= 2;
    if (bad * Math.abs(step) > 2 ** 30) break;
  }
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (await holds(start + middle * step)) good = middle;
    else bad = middle;
  }
  return start + good * step;
}
