import { viewOf } from "../reader.ts";
import { decodeTokens, type Tokens } from "./names.ts";
import { markerCount, MAX_NAME_BYTES, type OffsetKind } from "./tables.ts";

/** How much of a table is looked at to recognise it. */
export const PROBE_BYTES = 64;

/** An image ends within 1 GiB, and so do the distances inside it. */
const FARTHEST = 2 ** 30;
/** Sixteen symbols in a row never lie further apart. */
const WIDEST = 2 ** 24;

/**
 * Turns offsets into numbers that ascend with the addresses; null if they cannot be offsets of that
 * kind. Relative to themselves, offsets lose 4 with each place.
 */
function ascendingKeys(bytes: Uint8Array, kind: OffsetKind): number[] | null {
  const view = viewOf(bytes);
  const keys: number[] = [];
  for (let i = 0; i * 4 + 4 <= bytes.length; i++) {
    const offset = view.getInt32(i * 4, true);
    if (Math.abs(offset) > FARTHEST || (kind === "base" && offset < 0)) return null;
    const key = kind === "self"
      ? offset + 4 * i
      : kind === "percpu" && offset < 0
      ? FARTHEST - offset
      : offset;
    if (keys.length > 0 && key < keys.at(-1)!) return null;
    keys.push(key);
  }
  return keys;
}

/** The kinds of offsets that these bytes, from amid a table, can be: most often none. */
export function offsetKinds(bytes: Uint8Array): OffsetKind[] {
  return (["percpu", "base", "self"] as const).filter((kind) => {
    const keys = ascendingKeys(bytes, kind);
    const view = viewOf(bytes);
    const distinct = new Set(keys?.map((_, i) => view.getInt32(i * 4, true))).size;
    return keys !== null && distinct >= keys.length / 2 && new Set(keys).size >= keys.length / 2 &&
      keys.at(-1)! - keys[0]! < WIDEST && (kind !== "percpu" || keys[0]! > FARTHEST);
  });
}

/** Can these bytes belong to a table of offsets of that kind? */
export function continuesOffsets(bytes: Uint8Array, kind: OffsetKind): boolean {
  const keys = ascendingKeys(bytes, kind);
  return keys !== null && new Set(keys).size > 2;
}

/** Are these symbol numbers of 3 bytes, the highest first, from somewhere within a table? */
export function looksLikeSeqs(bytes: Uint8Array, symbols: number): boolean {
  const highest = (symbols - 1) >> 16;
  const zeros = bytes.every((byte) => byte === 0);
  return !zeros && [0, 1, 2].some((phase) => {
    for (let i = phase; i < bytes.length; i += 3) if (bytes[i]! > highest) return false;
    return true;
  });
}

/**
 * Reads markers: 32-bit offsets into the names, of every 256th symbol, the first being 0. Returns null
 * if these cannot be markers.
 */
export function decodeMarkers(bytes: Uint8Array, symbols: number): Uint32Array | null {
  const count = markerCount(symbols);
  if (bytes.length < count * 4) return null;
  const view = viewOf(bytes);
  const markers = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    markers[i] = view.getUint32(i * 4, true);
    // 256 names take at least 3 bytes each, and at most as long as a name may be.
    const step = i === 0 ? null : markers[i]! - markers[i - 1]!;
    if (step === null ? markers[i] !== 0 : step < 256 * 2 || step > 256 * 515) return null;
  }
  return markers;
}

/** The token table at one place of some bytes, proved by the index that follows it. */
export interface FoundTokens {
  readonly tokens: Tokens;
  /** Where the table begins, and where its index does, within the bytes. */
  readonly table: number;
  readonly index: number;
}

/**
 * Looks for a token table that begins between two places: one whose index (256 16-bit offsets) follows
 * and names exactly the places where its texts begin. Such a coincidence does not happen by chance.
 */
export function findTokens(bytes: Uint8Array, from: number, to: number): FoundTokens | null {
  const view = viewOf(bytes);
  for (let index = from + 512; index + 512 <= bytes.length; index += 4) {
    const lastStart = lastOfIndex(view, index);
    if (lastStart === null || index - lastStart - MAX_NAME_BYTES > to) continue;
    for (let table = index - lastStart - 2 & ~3; table >= from; table -= 4) {
      if (index - table - lastStart > MAX_NAME_BYTES) break;
      if (table > to) continue;
      const found = decodeTokens(bytes, table);
      if (found?.starts.every((start, i) => view.getUint16(index + i * 2, true) === start)) {
        return { tokens: found.tokens, table, index };
      }
    }
  }
  return null;
}

/** The last of 256 ascending 16-bit numbers from 0; null if that is not what they are. */
function lastOfIndex(view: DataView, index: number): number | null {
  if (view.getUint16(index, true) !== 0) return null;
  let last = 0;
  for (let i = 1; i < 256; i++) {
    const start = view.getUint16(index + i * 2, true);
    if (start <= last) return null;
    last = start;
  }
  return last;
}

/** Rounds up to a multiple of a power of two. */
export function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
