import type { Mapping } from "../../../translate/mappings.ts";

/** One piece of a map: a run, or what lies between two. Places are in units of the map. */
export interface Piece {
  /** Where it begins. */
  readonly from: number;
  /** Where it ends. */
  readonly to: number;
  /** The first linear address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** The run; null for a gap. */
  readonly run: Mapping | null;
}

const GAP_UNITS = 1;

/** A run's width: an address space is so sparse that only the logarithm of sizes can be shown. */
function unitsOf(run: Mapping): number {
  return 2 + Math.log2(run.lengthBytes / 4096 + 1);
}

/** Where runs lie on a map that leaves out what is not mapped. */
export class Places {
  /** All pieces, in address order. */
  readonly pieces: readonly Piece[];
  /** The map's length; 0 if nothing is mapped. */
  readonly total: number;

  /** Lays runs out side by side. */
  constructor(runs: readonly Mapping[]) {
    const pieces: Piece[] = [];
    let at = 0;
    let last: bigint | null = null;
    for (const run of runs) {
      const [start, end] = [run.address, run.address + BigInt(run.lengthBytes)];
      if (last !== null && start > last) {
        pieces.push({ from: at, to: at += GAP_UNITS, start: last, end: start, run: null });
      }
      pieces.push({ from: at, to: at += unitsOf(run), start, end, run });
      last = end;
    }
    this.pieces = pieces;
    this.total = at;
  }

  /** The index of the piece at a place, or of the last one. */
  indexAt(place: number): number {
    return this.#search((piece) => piece.to > place);
  }

  /** The address of the page at a place. */
  addressAt(place: number): bigint {
    const piece = this.pieces[this.indexAt(place)];
    if (piece === undefined) return 0n;
    const inside = Math.max(0, Math.min(1, (place - piece.from) / (piece.to - piece.from)));
    const pages = Number((piece.end - piece.start) / 4096n);
    return piece.start + BigInt(Math.min(pages - 1, Math.floor(inside * pages))) * 4096n;
  }

  /** Where an address is; the nearest end of the map if it lies outside. */
  placeOf(address: bigint): number {
    const piece = this.pieces[this.#search((piece) => piece.end > address)];
    if (piece === undefined || address <= piece.start) return piece?.from ?? 0;
    if (address >= piece.end) return piece.to;
    const inside = Number(address - piece.start) / Number(piece.end - piece.start);
    return piece.from + inside * (piece.to - piece.from);
  }

  #search(isIt: (piece: Piece) => boolean): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isIt(this.pieces[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
