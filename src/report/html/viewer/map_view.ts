/// <reference lib="dom" />
import type { Mapping } from "../../../translate/mappings.ts";
import { colour, make } from "./dom.ts";

/** One piece of the map: a run, or what lies between two. Places are in units of the map. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly run: Mapping | null;
}

const GAP_UNITS = 1;

/** A run's width: an address space is so sparse that only the logarithm of sizes can be shown. */
function unitsOf(run: Mapping): number {
  return 2 + Math.log2(run.lengthBytes / 4096 + 1);
}

/** The name of the colour that a run's rights have. */
export function rightsColour({ effective: { user, writable, executable } }: Mapping): string {
  if (writable && executable) return "wx";
  return `${user ? "u" : "k"}-r${executable ? "x" : writable ? "w" : ""}`;
}

/** The map of an address space by rights: zoomed by wheel or +/-, moved by dragging or arrow keys. */
export class MapView {
  /** The map's element. */
  readonly node: HTMLCanvasElement;
  readonly #pick: (address: bigint) => void;
  #pieces: Piece[] = [];
  #total = 1;
  #from = 0;
  #span = 1;
  #marked: bigint | null = null;

  /** Makes an empty map; `pick` is called with the address that is clicked. */
  constructor(pick: (address: bigint) => void) {
    this.#pick = pick;
    this.node = make("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": "Map of the address space by rights. Plus and minus zoom, arrow keys move, " +
        "Enter picks the middle.",
    });
    this.node.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 0.8 : 1.25, event.offsetX / this.node.clientWidth);
    }, { passive: false });
    this.node.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) this.move(-event.movementX / this.node.clientWidth);
      this.node.title = this.#titleAt(event.offsetX / this.node.clientWidth);
    });
    this.node.addEventListener("click", (event) => {
      this.#pickAt(event.offsetX / this.node.clientWidth);
    });
    this.node.addEventListener("keydown", (event) => this.#onKey(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  /** How much of the map is in sight, 0 to 1. */
  get visiblePart(): number {
    return this.#span / this.#total;
  }

  /** Shows other runs, all of them. */
  show(runs: readonly Mapping[]): void {
    this.#pieces = [];
    let at = 0;
    let end: bigint | null = null;
    for (const run of runs) {
      if (end !== null && run.address > end) {
        this.#pieces.push({ from: at, to: at += GAP_UNITS, run: null });
      }
      this.#pieces.push({ from: at, to: at += unitsOf(run), run });
      end = run.address + BigInt(run.lengthBytes);
    }
    this.#total = Math.max(at, 1);
    this.#from = 0;
    this.#span = this.#total;
    this.draw();
  }

  /** Marks the run that holds an address. */
  mark(address: bigint): void {
    this.#marked = address;
    this.draw();
  }

  /** Makes what is in sight so many times wider, around a place between 0 and 1. */
  zoom(factor: number, around = 0.5): void {
    const span = Math.min(this.#total, Math.max(4, this.#span * factor));
    this.#from += (this.#span - span) * around;
    this.#span = span;
    this.move(0);
  }

  /** Moves by a part of what is in sight. */
  move(part: number): void {
    const from = this.#from + part * this.#span;
    this.#from = Math.max(0, Math.min(this.#total - this.#span, from));
    this.draw();
  }

  /** Draws what is in sight. */
  draw(): void {
    const scale = globalThis.devicePixelRatio || 1;
    const width = Math.round(this.node.clientWidth * scale);
    const height = Math.round(this.node.clientHeight * scale);
    this.node.width = width;
    this.node.height = height;
    const context = this.node.getContext("2d");
    if (!context) return;
    const perUnit = width / this.#span;
    for (let i = this.#indexAt(0); i < this.#pieces.length; i++) {
      const { from, to, run } = this.#pieces[i]!;
      const x = (from - this.#from) * perUnit;
      if (x > width) break;
      context.fillStyle = colour(run ? rightsColour(run) : "hole");
      context.fillRect(x, 0, Math.max((to - from) * perUnit - (perUnit > 3 ? 1 : 0), 0.5), height);
      if (run && this.#holdsMark(run)) {
        context.strokeStyle = colour("ink");
        context.lineWidth = 3 * scale;
        context.strokeRect(x, 1, Math.max((to - from) * perUnit, 3), height - 2);
      }
    }
  }

  #holdsMark({ address, lengthBytes }: Mapping): boolean {
    const at = this.#marked;
    return at !== null && at >= address && at < address + BigInt(lengthBytes);
  }

  #indexAt(part: number): number {
    const place = this.#from + part * this.#span;
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle]!.to <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #titleAt(part: number): string {
    const run = this.#pieces[this.#indexAt(part)]?.run;
    return run ? `0x${run.address.toString(16)}, ${run.lengthBytes / 1024} KiB` : "";
  }

  #pickAt(part: number): void {
    const index = this.#indexAt(part);
    // Between two runs, the next one is meant: gaps never come last.
    const piece = this.#pieces[this.#pieces[index]?.run ? index : index + 1];
    if (!piece?.run) return;
    const place = this.#from + part * this.#span;
    const inside = Math.max(0, (place - piece.from) / (piece.to - piece.from));
    const page = Math.floor(inside * piece.run.lengthBytes / 4096);
    this.#pick(piece.run.address + BigInt(page) * 4096n);
  }

  #onKey(event: KeyboardEvent): void {
    const actions: Record<string, () => void> = {
      "+": () => this.zoom(0.7),
      "=": () => this.zoom(0.7),
      "-": () => this.zoom(1.4),
      "0": () => this.zoom(Infinity),
      "ArrowLeft": () => this.move(-0.1),
      "ArrowRight": () => this.move(0.1),
      "Home": () => this.move(-Infinity),
      "End": () => this.move(Infinity),
      "Enter": () => this.#pickAt(0.5),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
