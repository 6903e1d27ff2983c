import type { PagingContext } from "../arch/x86/paging_context.ts";
import type { Visit } from "./_visit.ts";
import type { EntryFlags, PageTableEntry } from "../arch/x86/entry.ts";
import type { ListedPage } from "./listing_records.ts";
import {
  leafRightsOf,
  restrictRights,
  type RightsSoFar,
  settleRights,
} from "../arch/x86/rights.ts";

/** What pages have in common whose entries differ in their frame alone. */
type PageTraits = Pick<ListedPage, "leaf" | "effective" | "decidedBy">;

/** Makes the records of pages. Pages that are alike share what they have in common. */
export class PageRecords {
  readonly #withKeys: boolean;
  /** What pages of one shape have in common, for each set of rights that the levels above leave. */
  readonly #traits = new Map<RightsSoFar, Map<EntryFlags, PageTraits>>();
  #count = 0;

  constructor({ userKeys, supervisorKeys }: PagingContext) {
    this.#withKeys = userKeys || supervisorKeys;
  }

  /** How many were made. */
  get count(): number {
    return this.#count;
  }

  /** The record of the page that an entry maps. */
  page(visit: Visit, entry: PageTableEntry): ListedPage {
    this.#count++;
    const { leaf, effective, decidedBy } = this.#traitsOf(visit.soFar, entry);
    return {
      kind: "page",
      address: visit.base + (BigInt(entry.index) << BigInt(visit.decoder.format.shift)),
      lengthBytes: 2 ** visit.decoder.format.shift,
      physicalAddress: entry.frame,
      entry,
      leaf,
      effective,
      decidedBy,
    };
  }

  #traitsOf(soFar: RightsSoFar, entry: PageTableEntry): PageTraits {
    let ofShapes = this.#traits.get(soFar);
    if (!ofShapes) this.#traits.set(soFar, ofShapes = new Map());
    let traits = ofShapes.get(entry.flags);
    if (!traits) {
      traits = {
        leaf: leafRightsOf(entry, this.#withKeys),
        ...settleRights(restrictRights(soFar, entry), entry.level),
      };
      // As in the decoder: tables full of junk are not to fill the memory.
      if (ofShapes.size >= 4096) ofShapes.clear();
      ofShapes.set(entry.flags, traits);
    }
    return traits;
  }
}
