/// <reference lib="dom" />
import { parseAddress } from "../../../core/address.ts";
import { escapeText } from "../../../core/escape.ts";
import { AddressNames } from "../../../linux/address_names.ts";
import { type Mapping, type MappingRecord, mappings } from "../../../translate/mappings.ts";
import { entryBits } from "../../../translate/entry_bits.ts";
import { walk } from "../../../translate/walk.ts";
import { decodeSnapshot } from "../../../snapshot/file.ts";
import type { Snapshot } from "../../../snapshot/snapshot.ts";
import { toSvg } from "../../svg/to_svg.ts";
import type { ReportSide } from "../page_data.ts";
import { drawingNode, make } from "./dom.ts";

/** One state of the address space, as the page uses it. */
export class Side {
  /** What it is called. */
  readonly name: string;
  /** The tables. */
  readonly snapshot: Snapshot;
  /** Everything that they hold, in address order. */
  readonly records: readonly MappingRecord[];

  readonly #names: AddressNames;

  private constructor(
    name: string,
    snapshot: Snapshot,
    records: readonly MappingRecord[],
    names: AddressNames,
  ) {
    this.name = name;
    this.snapshot = snapshot;
    this.records = records;
    this.#names = names;
  }

  /** Unpacks a side of the report's data. */
  static async open({ name, file, names = [] }: ReportSide): Promise<Side> {
    const bytes = Uint8Array.from(atob(file), (character) => character.charCodeAt(0));
    const snapshot = await decodeSnapshot(bytes);
    const { memory, context } = snapshot;
    const named = new AddressNames(names.map(({ start, end, name }) => ({
      ...{ start: parseAddress(start), end: parseAddress(end), name },
    })));
    const { boundaries } = named;
    const records = await Array.fromAsync(mappings(memory, context, {}, { boundaries }));
    return new Side(name, snapshot, records, named);
  }

  /** What is at an address; empty if nobody said. */
  nameAt(address: bigint): string {
    return this.#names.at(address)?.name ?? "";
  }

  /** The runs that are mapped. */
  runs(): Mapping[] {
    return this.records.filter((record) => record.kind === "mapping");
  }

  /** The tables on the way to an address, each entry drawn bit by bit. */
  async wayTo(address: bigint): Promise<HTMLElement> {
    const { memory, context } = this.snapshot;
    const found = await walk(memory, context, address, { recheck: false });
    const entries = found.steps.map((entry) => {
      const named = entryBits(entry.raw, entry.level, context);
      const summary = `${named.entryName}[${entry.index}] 0x${entry.raw.toString(16)}`;
      const isLast = entry === found.steps.at(-1);
      return make(
        "details",
        isLast ? { open: "" } : {},
        make("summary", {}, summary),
        drawingNode(toSvg(named)),
      );
    });
    return make(
      "section",
      {},
      make("h3", {}, escapeText(this.name)),
      ...this.nameAt(address) === "" ? [] : [make("p", {}, escapeText(this.nameAt(address)))],
      drawingNode(toSvg(found)),
      ...entries,
    );
  }
}
