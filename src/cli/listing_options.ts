import { given } from "../core/options.ts";
import type { AddressRange } from "../translate/address_range.ts";
import type { ListProgress } from "../translate/listing.ts";
import { type OptionValues, value, type ValueOption, wholeNumber } from "./options.ts";
import { parseRangeText } from "./parse_range.ts";
import type { ProgressBar } from "./progress.ts";

/** What bounds a listing of page tables. */
export type ListingOptionSpecs = {
  /** The part of the address space. */
  readonly range: ValueOption<Required<AddressRange>>;
  /** How many tables are visited at the most. */
  readonly "max-tables": ValueOption<number>;
};

/** The options that bound a listing of page tables. */
export const LISTING_OPTIONS: ListingOptionSpecs = {
  range: value("FIRST-LAST", "only these addresses; also FIRST+LENGTH", parseRangeText),
  "max-tables": wholeNumber("N", "visit at most N tables (default 131072)", 1),
};

/** The values of {@linkcode LISTING_OPTIONS}. */
export type ListingValues = OptionValues<ListingOptionSpecs>;

/** What all that lists page tables takes. */
export interface ListingBounds {
  /** The part of the address space; all of it, if left out. */
  range?: Required<AddressRange>;
  /** How many tables are visited at the most. */
  maxTables?: number;
  /** Called after each table. */
  onProgress?: (progress: ListProgress) => void;
}

/** Turns a script's options into those of a listing, which a progress bar may follow. */
export function listingBounds(options: ListingValues, bar?: ProgressBar): ListingBounds {
  const { range, "max-tables": maxTables } = options;
  return {
    ...range && { range },
    ...given({ maxTables }),
    ...bar && { onProgress: bar.counting("tables") },
  };
}
