/// <reference lib="dom" />
import { intervalsOf, type Regime } from "../../../translate/regime.ts";
import type { Mapping } from "../../../translate/mappings.ts";
import { formatSize } from "../../size.ts";
import { make } from "./dom.ts";
import { colourOf, LEGEND } from "./map_colours.ts";
import { Places } from "./places.ts";
import type { NamedRegion } from "./regions.ts";
import { Sight } from "./sight.ts";
import { StripView } from "./strip_view.ts";

/** What a map shows. */
export interface MapOptions {
  /** The runs of the whole address space, in address order. */
  readonly runs: readonly Mapping[];
  /** Its named parts. */
  readonly regions: readonly NamedRegion[];
  /** The kind of tables. */
  readonly regime: Regime;
  /** Called with the address that is chosen. */
  readonly pick: (address: bigint) => void;
}

/** The map of an address space by rights: the user's half and the kernel's each on a strip of its own. */
export class MapView {
  /** The map's element. */
  readonly node: HTMLElement;
  readonly #strips: readonly { first: bigint; last: bigint; view: StripView }[];

  /** Makes a map. */
  constructor(options: MapOptions) {
    this.#strips = halvesOf(options.regime).map(({ title, first, last }) => {
      const isIn = (address: bigint) => address >= first && address <= last;
      const places = new Places(options.runs.filter(({ address }) => isIn(address)));
      const regions = options.regions.filter(({ start, end }) =>
        isIn(start) && places.placeOf(start) < places.placeOf(end)
      );
      const { regime, pick } = options;
      const sight = new Sight(places.total);
      return { first, last, view: new StripView({ title, places, sight, regions, regime, pick }) };
    });
    this.node = make(
      "div",
      { class: "map" },
      legend(options),
      ...this.#chooser(options.regions),
      ...this.#strips.map(({ view }) => view.node),
    );
  }

  /** Marks the run that holds an address. */
  mark(address: bigint): void {
    for (const { view } of this.#strips) view.mark(address);
  }

  /** Opens regions without a mouse. */
  #chooser(regions: readonly NamedRegion[]): HTMLElement[] {
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

/** What each colour means, and how much there is of it. */
function legend({ runs, regime }: MapOptions): HTMLElement {
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
