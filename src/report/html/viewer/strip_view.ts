/// <reference lib="dom" />
import type { Regime } from "../../../translate/regime.ts";
import { make } from "./dom.ts";
import type { Places } from "./places.ts";
import { type NamedRegion, regionAt } from "./regions.ts";
import { Sight } from "./sight.ts";
import {
  type AddressPart,
  type DrawnStrip,
  drawStrip,
  isAmongNames,
  STRIP_HEIGHT,
} from "./strip_drawing.ts";

/** What of a strip changes with the guest. */
export type StripContent = Pick<DrawnStrip, "places" | "regions">;

/** How long what has changed glows, in milliseconds. */
const GLOW_MS = 3000;

/** What a strip is made of. */
export interface StripOptions extends StripContent {
  /** What it is called. */
  readonly title: string;
  /** The kind of tables. */
  readonly regime: Regime;
  /** Called with the address that is chosen. */
  readonly pick: (address: bigint) => void;
}

/** A part of the map: zoomed by wheel or +/-, moved by dragging or arrow keys; a region is opened. */
export class StripView {
  /** The strip's element. */
  readonly node: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #status = make("span", { "aria-live": "polite" });
  readonly #back = make("button", { type: "button", hidden: "" }, "Back (Esc)");
  readonly #options: StripOptions;
  #content: StripContent;
  #sight: Sight;
  #marked: bigint | null = null;
  #glowing: readonly AddressPart[] = [];

  /** Makes a strip. */
  constructor(options: StripOptions) {
    this.#options = options;
    this.#content = options;
    this.#sight = new Sight(options.places.total);
    this.#canvas = make("canvas", {
      tabindex: "0",
      role: "application",
      style: `height:${STRIP_HEIGHT}px`,
      "aria-label":
        `${options.title} by rights. Plus and minus zoom, arrow keys move, Enter picks ` +
        "the middle, Escape shows what was in sight before.",
    });
    this.node = make(
      "section",
      { class: "strip" },
      make("h3", {}, options.title),
      this.#status,
      this.#back,
      this.#canvas,
    );
    this.#back.addEventListener("click", () => this.#change(() => this.#sight.back()));
    this.#listen();
  }

  /** Marks the run that holds an address. */
  mark(address: bigint): void {
    this.#marked = address;
    this.draw();
  }

  /** Shows a region, and all of it. */
  open({ start, end }: NamedRegion): void {
    this.#change(() => this.#sight.open(this.#places.placeOf(start), this.#places.placeOf(end)));
    this.#canvas.focus();
  }

  /** Shows another state at the same addresses, and lets what has changed glow. */
  update(content: StripContent, changed: readonly AddressPart[]): void {
    const [from, to] = [0, 1].map((part) => this.#places.addressAt(this.#sight.placeAt(part)));
    const { isWhole } = this.#sight;
    this.#content = content;
    this.#sight = new Sight(this.#places.total);
    if (!isWhole) this.#sight.open(this.#places.placeOf(from!), this.#places.placeOf(to!), 0);
    this.#glowing = changed;
    this.draw();
    setTimeout(() => {
      if (this.#glowing !== changed) return;
      this.#glowing = [];
      this.draw();
    }, GLOW_MS);
  }

  /** Draws what is in sight. */
  draw(): void {
    const { regime } = this.#options;
    const [marked, glowing] = [this.#marked, this.#glowing];
    const sight = this.#sight;
    drawStrip(this.#canvas, { ...this.#content, regime, sight, marked, glowing });
    this.#back.hidden = this.#sight.isWhole;
    this.#status.textContent = this.#places.total === 0
      ? "nothing is mapped here"
      : `0x${this.#places.addressAt(this.#sight.placeAt(0)).toString(16)} to 0x${
        this.#places.addressAt(this.#sight.placeAt(1)).toString(16)
      }`;
  }

  get #places(): Places {
    return this.#content.places;
  }

  #change(change: () => void): void {
    change();
    this.draw();
  }

  #listen(): void {
    const canvas = this.#canvas;
    const partOf = (event: MouseEvent) => event.offsetX / canvas.clientWidth;
    let isDragged = false;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#change(() => this.#sight.zoom(event.deltaY < 0 ? 0.8 : 1.25, partOf(event)));
    }, { passive: false });
    canvas.addEventListener("pointerdown", () => isDragged = false);
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons === 1 && event.movementX !== 0) {
        isDragged = true;
        this.#change(() => this.#sight.move(-event.movementX / canvas.clientWidth));
      }
      canvas.title = this.#titleAt(partOf(event));
    });
    canvas.addEventListener("click", (event) => {
      if (isDragged) return;
      const region = isAmongNames(event.offsetY) ? this.#regionAt(partOf(event)) : undefined;
      if (region) this.open(region);
      else this.#pickAt(partOf(event));
    });
    canvas.addEventListener("keydown", (event) => this.#onKey(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  #regionAt(part: number): NamedRegion | undefined {
    return regionAt(this.#content.regions, this.#places.addressAt(this.#sight.placeAt(part)));
  }

  #titleAt(part: number): string {
    const run = this.#places.pieces[this.#places.indexAt(this.#sight.placeAt(part))]?.run;
    if (!run) return "";
    const text = `0x${run.address.toString(16)}, ${run.lengthBytes / 1024} KiB`;
    return [text, this.#regionAt(part)?.name].filter((part) => part !== undefined).join(", ");
  }

  #pickAt(part: number): void {
    if (this.#places.total === 0) return;
    const place = this.#sight.placeAt(part);
    const index = this.#places.indexAt(place);
    // Between two runs, the next one is meant: gaps never come last.
    const { run } = this.#places.pieces[index]!;
    const { start } = this.#places.pieces[index + 1] ?? this.#places.pieces[index]!;
    this.#options.pick(run ? this.#places.addressAt(place) : start);
  }

  #onKey(event: KeyboardEvent): void {
    const actions: Record<string, () => void> = {
      "+": () => this.#sight.zoom(0.7),
      "=": () => this.#sight.zoom(0.7),
      "-": () => this.#sight.zoom(1.4),
      "0": () => this.#sight.zoom(Infinity),
      "Escape": () => this.#sight.back(),
      "ArrowLeft": () => this.#sight.move(-0.1),
      "ArrowRight": () => this.#sight.move(0.1),
      "Home": () => this.#sight.move(-Infinity),
      "End": () => this.#sight.move(Infinity),
      "Enter": () => this.#pickAt(0.5),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    this.#change(action);
  }
}
