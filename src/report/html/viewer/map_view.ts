/// <reference lib="dom" />
import { intervalsOf, type Regime } from "../../../translate/regime.ts";
import type { Mapping } from "../../../translate/mappings.ts";
import { formatSize } from "../../size.ts";
import { make } from "./dom.ts";
import { colourOf, LEGEND } from "./map_colours.ts";
import { Places } from "./places.ts";
import type { NamedRegion } from "./regions.ts";
import type { AddressPart } from "./strip_drawing.ts";
import { type StripContent, StripView } from "./strip_view.ts";

/** A strip, and the addresses that it shows. */
interface Strip {
  readonly first: bigint;
  readonly last: bigint;
  readonly view: StripView;
}

/** What of a map changes with the guest. */
export interface MapContent {
  /** The runs of the whole address space, in address order. */
  readonly runs: readonly Mapping[];
  /** Its named parts. */
  readonly regions: readonly NamedRegion[];
}

/** What a map shows. */
export interface MapOptions extends MapContent {
  /** The kind of tables. */
  readonly regime: Regime;
  /** Called with the address that is chosen. */
  readonly pick: (address: bigint) => void;
}

/** The map of an address space by rights: the user's half and the kernel's each on a strip of its own. */
export class MapView {
  /** The map's element. */
  readonly node: HTMLElement;
  readonly #regime: Regime;
  readonly #strips: readonly Strip[];
  #regions: readonly NamedRegion[];
  #legend: HTMLElement;

  /** Makes a map. */
  constructor(options: MapOptions) {
    const { regime, pick } = options;
    this.#regime = regime;
    this.#regions = options.regions;
    this.#strips = halvesOf(regime).map(({ title, first, last }) => {
      const content = partOf(options, { first, last });
      return { first, last, view: new StripView({ ...content, title, regime, pick }) };
    });
    this.#legend = legend(options.runs, regime);
    this.node = make(
      "div",
      { class: "map" },
      this.#legend,
      ...this.#chooser(),
      ...this.#strips.map(({ view }) => view.node),
    );
  }

  /** Shows another state, and lets what has changed glow. */
  update(content: MapContent, changed: readonly AddressPart[]): void {
    this.#regions = content.regions;
    const fresh = legend(content.runs, this.#regime);
    this.#legend.replaceWith(fresh);
    this.#legend = fresh;
    for (const { view, ...half } of this.#strips) {
      const isIn = ({ start }: AddressPart) => start >= half.first && start <= half.last;
      view.update(partOf(content, half), changed.filter(isIn));
    }
  }

  /** Marks the run that holds an address. */
  mark(address: bigint): void {
    for (const { view } of this.#strips) view.mark(address);
  }

  /** Opens regions without a mouse. */
  #chooser(): HTMLElement[] {
    const regions = this.#regions;
    if (regions.length === 0) return [];
    const select = make("select", { id: "region", "aria-label": "Open a region" });
    select.append(make("option", { value: "" }, "Open a region…"));
    regions.forEach(({ start, name }, i) =>
      select.append(make("option", { value: String(i) }, `0x${start.toString(16)} ${name}`))
    );
    select.addEventListener("change", () => {
      const region = regions[Number(select.value)];
      if (select.value === "" || region === undefined) return;
      const strip = this.#strips.find(({ first, last }) =>
        region.start >= first && region.start <= last
      );
      strip?.view.open(region);
      select.value = "";
    });
    return [select];
  }
}

/** The intervals of addresses that the tables translate, with what people call them. */
function halvesOf(regime: Regime): { title: string; first: bigint; last: bigint }[] {
  const intervals = regime.spans.flatMap((span) => intervalsOf(span));
  if (intervals.length === 1) return [{ title: "Addresses", ...intervals[0]! }];
  // A device's addresses are nobody's.
  const [low, high] = regime.rules.rights.names.includes("user")
    ? ["User half", "Kernel half"]
    : ["Lower half", "Upper half"];
  return intervals
    .sort((a, b) => a.first < b.first ? -1 : 1)
    .map((interval) => ({ title: interval.first === 0n ? low : high, ...interval }));
}

/** What of a map lies in one half. */
function partOf(
  { runs, regions }: MapContent,
  { first, last }: { first: bigint; last: bigint },
): StripContent {
  const isIn = (address: bigint) => address >= first && address <= last;
  const places = new Places(runs.filter(({ address }) => isIn(address)));
  return {
    places,
    regions: regions.filter(({ start, end }) =>
      isIn(start) && places.placeOf(start) < places.placeOf(end)
    ),
  };
}

/** What each colour means, and how much there is of it. */
function legend(runs: readonly Mapping[], regime: Regime): HTMLElement {
  const bytes = new Map<string, number>();
  for (const run of runs) {
    const name = colourOf(run, regime);
    bytes.set(name, (bytes.get(name) ?? 0) + run.lengthBytes);
  }
  const entries = LEGEND.filter(([name]) => bytes.has(name)).map(([name, meaning]) =>
    make(
      "span",
      {},
      make("i", { style: `background:var(--${name})` }),
      `${meaning}: ${roughSize(bytes.get(name)!)}`,
    )
  );
  return make("div", { class: "legend" }, ...entries);
}

/** A size to get an idea of: three or four digits of it. */
function roughSize(bytes: number): string {
  if (bytes < 2 ** 20) return formatSize(bytes);
  const [unit, name] = bytes < 2 ** 30 ? [2 ** 20, "MiB"] : [2 ** 30, "GiB"];
  return `${Number((bytes / unit).toFixed(1))} ${name}`;
}
