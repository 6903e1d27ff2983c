import type { Visit } from "./_visit.ts";
import { extend } from "./regime.ts";
import type { EntryFlags, PageTableEntry } from "./entry.ts";
import type { ListedPage } from "./listing_records.ts";
import type { RightsRule, RightsSoFar } from "./rights.ts";

/** What pages have in common whose entries differ in their frame alone. */
type PageTraits = Pick<ListedPage, "leaf" | "effective" | "decidedBy">;

/** Makes the records of pages. Pages that are alike share what they have in common. */
export class PageRecords {
  readonly #rule: RightsRule;
  /** What pages of one shape have in common, for each set of rights that the levels above leave. */
  readonly #traits = new Map<RightsSoFar, Map<EntryFlags, PageTraits>>();
  #count = 0;

  constructor(rule: RightsRule) {
    this.#rule = rule;
  }

  /** How many were made. */
  get count(): number {
    return this.#count;
  }

  /** The record of the page that an entry maps. */
  page(visit: Visit, entry: PageTableEntry): ListedPage {
    this.#count++;
    const { leaf, effective, decidedBy } = this.#traitsOf(visit.soFar, entry);
    const { shift } = visit.decoder.format;
    const address = visit.base + (BigInt(entry.index) << BigInt(shift));
    const page: ListedPage = {
      kind: "page",
      address: visit.depth === 0 ? extend(visit.span, address) : address,
      lengthBytes: 2 ** shift,
      physicalAddress: entry.frame,
      entry,
      leaf,
      effective,
      decidedBy,
    };
    const { pageShift } = entry;
    if (pageShift === undefined) return page;
    // Several entries map one page: this one its own part of it.
    const offset = address & ((1n << BigInt(pageShift)) - 1n);
    return { ...page, physicalAddress: entry.frame | offset, pageSizeBytes: 2 ** pageShift };
  }

  #traitsOf(soFar: RightsSoFar, entry: PageTableEntry): PageTraits {
    let ofShapes = this.#traits.get(soFar);
    if (!ofShapes) this.#traits.set(soFar, ofShapes = new Map());
    let traits = ofShapes.get(entry.flags);
    if (!traits) {
      traits = {
        leaf: this.#rule.leafOf(entry),
        ...this.#rule.settle(this.#rule.restrict(soFar, entry), entry.level),
      };
      // As in the decoder: tables full of junk are not to fill the memory.
      if (ofShapes.size >= 4096) ofShapes.clear();
      ofShapes.set(entry.flags, traits);
    }
    return traits;
  }
}
