/// <reference lib="dom" />
import { escapeText } from "../../../core/escape.ts";
import { type Mapping, type MappingRecord, mappings } from "../../../translate/mappings.ts";
import { entryBits } from "../../../translate/entry_bits.ts";
import { walk } from "../../../translate/walk.ts";
import { decodeSnapshot } from "../../../snapshot/file.ts";
import type { Snapshot } from "../../../snapshot/snapshot.ts";
import { toSvg } from "../../svg/to_svg.ts";
import type { ReportSide } from "../page_data.ts";
import { drawingNode, make } from "./dom.ts";
import { type NamedRegion, readRegions, regionAt } from "./regions.ts";

/** One state of the address space, as the page uses it. */
export class Side {
  /** What it is called. */
  readonly name: string;
  /** The tables. */
  readonly snapshot: Snapshot;
  /** Everything that they hold, in address order. */
  readonly records: readonly MappingRecord[];
  /** What else is known of it, a line each. */
  readonly facts: readonly string[];
  /** Its named parts. */
  readonly regions: readonly NamedRegion[];

  private constructor(
    { name, facts = [], regions }: ReportSide,
    snapshot: Snapshot,
    records: readonly MappingRecord[],
  ) {
    this.name = name;
    this.snapshot = snapshot;
    this.records = records;
    this.facts = facts;
    this.regions = readRegions(regions);
  }

  /** Unpacks a side of the report's data. */
  static async open(side: ReportSide): Promise<Side> {
    const bytes = Uint8Array.from(atob(side.file), (character) => character.charCodeAt(0));
    const snapshot = await decodeSnapshot(bytes);
    const { memory, context } = snapshot;
    const records = await Array.fromAsync(mappings(memory, context));
    return new Side(side, snapshot, records);
  }

  /** The runs that are mapped. */
  runs(): Mapping[] {
    return this.records.filter((record) => record.kind === "mapping");
  }

  /**
   * The tables on the way to an address, each entry drawn bit by bit, in drawings so many pixels wide.
   * Those at the physical addresses in `changed` glow.
   */
  async wayTo(
    address: bigint,
    widthPx: number,
    changed: ReadonlySet<bigint> = new Set(),
  ): Promise<HTMLElement> {
    const { memory, context } = this.snapshot;
    const found = await walk(memory, context, address, { recheck: false });
    const entries = found.steps.map((entry) => {
      const named = entryBits(entry.raw, entry.level, context);
      const summary = `${named.entryName}[${entry.index}] 0x${entry.raw.toString(16)}`;
      const isLast = entry === found.steps.at(-1);
      return make(
        "details",
        { ...isLast && { open: "" }, ...changed.has(entry.address) && { class: "glow" } },
        make("summary", {}, summary),
        drawingNode(toSvg(named, { widthPx })),
      );
    });
    const region = regionAt(this.regions, address);
    return make(
      "section",
      {},
      make("h3", {}, [escapeText(this.name), region?.name].filter(Boolean).join(": ")),
      drawingNode(toSvg(found, { widthPx })),
      ...entries,
    );
  }
}
