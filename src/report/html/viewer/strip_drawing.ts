/// <reference lib="dom" />
import type { Regime } from "../../../translate/regime.ts";
import { colour } from "./dom.ts";
import { colourOf } from "./map_colours.ts";
import type { Places } from "./places.ts";
import type { NamedRegion } from "./regions.ts";
import type { Sight } from "./sight.ts";

/** Where the parts of a strip are, in CSS pixels from its top. */
const NAMES = { top: 2, height: 18 } as const;
const RUNS = { top: 24, height: 60 } as const;
const AXIS = { top: 86, height: 20 } as const;

/** How tall a strip is, in CSS pixels. */
export const STRIP_HEIGHT = AXIS.top + AXIS.height;

/** Whether a place from the top is among the regions' names. */
export function isAmongNames(y: number): boolean {
  return y < RUNS.top;
}

/** Some addresses. */
export interface AddressPart {
  /** The first one. */
  readonly start: bigint;
  /** The one after the last. */
  readonly end: bigint;
}

/** What a strip shows. */
export interface DrawnStrip {
  /** The runs' places. */
  readonly places: Places;
  /** The part in sight. */
  readonly sight: Sight;
  /** The named parts. */
  readonly regions: readonly NamedRegion[];
  /** The kind of tables. */
  readonly regime: Regime;
  /** The address that is marked. */
  readonly marked: bigint | null;
  /** What has just changed. */
  readonly glowing: readonly AddressPart[];
}

/** Draws what is in sight of a strip: the names of regions, the runs by their rights, an axis. */
export function drawStrip(canvas: HTMLCanvasElement, strip: DrawnStrip): void {
  const scale = globalThis.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(STRIP_HEIGHT * scale);
  const context = canvas.getContext("2d");
  if (!context || width === 0) return;
  context.scale(scale, scale);
  context.font = "11px ui-monospace, monospace";
  context.textBaseline = "middle";
  drawRuns(context, strip, width);
  drawGlow(context, strip, width);
  drawNames(context, strip, width);
  drawAxis(context, strip, width);
}

function drawRuns(context: CanvasRenderingContext2D, strip: DrawnStrip, width: number): void {
  const { places, sight, regime, marked } = strip;
  context.fillStyle = colour("hole");
  context.fillRect(0, RUNS.top, width, RUNS.height);
  const perUnit = width / sight.span;
  // Drawn after the others, so that none is too narrow to be seen: they are what is looked for.
  const last: (() => void)[] = [];
  for (let i = places.indexAt(sight.from); i < places.pieces.length; i++) {
    const { from, to, start, end, run } = places.pieces[i]!;
    const x = (from - sight.from) * perUnit;
    if (x > width) break;
    if (run === null) continue;
    const name = colourOf(run, regime);
    const isSought = name === "closed" || name === "wx";
    const wide = (to - from) * perUnit - (perUnit > 3 ? 1 : 0);
    const fill = () => {
      context.fillStyle = colour(name);
      context.fillRect(x, RUNS.top, Math.max(wide, isSought ? 2 : 0.5), RUNS.height);
    };
    if (isSought) last.push(fill);
    else fill();
    if (marked === null || marked < start || marked >= end) continue;
    last.push(() => {
      context.strokeStyle = colour("ink");
      context.lineWidth = 3;
      context.strokeRect(x, RUNS.top + 1.5, Math.max(wide, 3), RUNS.height - 3);
    });
  }
  for (const draw of last) draw();
}

function drawGlow(context: CanvasRenderingContext2D, strip: DrawnStrip, width: number): void {
  const { places, sight, glowing } = strip;
  const xOf = (address: bigint) => (places.placeOf(address) - sight.from) * width / sight.span;
  context.strokeStyle = colour("glow");
  context.lineWidth = 4;
  for (const { start, end } of glowing) {
    const x = xOf(start);
    context.strokeRect(x, RUNS.top + 2, Math.max(xOf(end) - x, 4), RUNS.height - 4);
  }
}

function drawNames(context: CanvasRenderingContext2D, strip: DrawnStrip, width: number): void {
  const { places, sight, regions } = strip;
  const xOf = (address: bigint) => (places.placeOf(address) - sight.from) * width / sight.span;
  context.strokeStyle = context.fillStyle = colour("dim");
  context.lineWidth = 1;
  for (const { start, end, name } of regions) {
    const [from, to] = [Math.max(0, xOf(start)), Math.min(width, xOf(end))];
    if (to - from < 1) continue;
    context.beginPath();
    context.moveTo(from + 0.5, RUNS.top - 1);
    context.lineTo(from + 0.5, RUNS.top - 4);
    context.lineTo(to - 0.5, RUNS.top - 4);
    context.lineTo(to - 0.5, RUNS.top - 1);
    context.stroke();
    const text = shortened(context, name, to - from - 4);
    if (text !== "") context.fillText(text, from + 2, NAMES.top + NAMES.height / 2);
  }
}

/** A name as far as there is room: its end tells more of a file's path than its beginning. */
function shortened(context: CanvasRenderingContext2D, name: string, room: number): string {
  if (context.measureText(name).width <= room) return name;
  const fits = Math.floor(room / context.measureText("0").width) - 1;
  if (fits < 2) return "";
  return name.startsWith("/") ? `…${name.slice(-fits)}` : `${name.slice(0, fits)}…`;
}

function drawAxis(context: CanvasRenderingContext2D, strip: DrawnStrip, width: number): void {
  const { places, sight } = strip;
  context.strokeStyle = context.fillStyle = colour("dim");
  const room = context.measureText("0xffffffffffffffff").width + 16;
  for (let x = 0; x + room <= width + 16 && places.total > 0;) {
    const place = sight.placeAt(x / width);
    // Where a run begins nearby, its first address says more than one within.
    const next = places.pieces[places.indexAt(place) + 1];
    const nextX = next ? (next.from - sight.from) * width / sight.span : Infinity;
    const isNear = next?.run && nextX - x < room / 3 && nextX + room <= width + 16;
    const [at, address] = isNear ? [nextX, next.start] : [x, places.addressAt(place)];
    context.beginPath();
    context.moveTo(at + 0.5, AXIS.top - 2);
    context.lineTo(at + 0.5, AXIS.top + 3);
    context.stroke();
    context.fillText(`0x${address.toString(16)}`, at + 2, AXIS.top + 11);
    x = at + room;
  }
}
