import { parseAddress } from "../../../core/address.ts";
import { escapeText } from "../../../core/escape.ts";
import type { ReportRegion } from "../page_data.ts";

/** A named part of the address space. */
export interface NamedRegion {
  /** The first linear address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** What it is called, fit to be shown. */
  readonly name: string;
}

/** Reads the regions of a report: names come from the guest. */
export function readRegions(regions: readonly ReportRegion[] = []): NamedRegion[] {
  return regions.map(({ start, end, name }) => ({
    start: parseAddress(start),
    end: parseAddress(end),
    name: escapeText(name),
  }));
}

/** The region that holds an address. */
export function regionAt(
  regions: readonly NamedRegion[],
  address: bigint,
): NamedRegion | undefined {
  return regions.find(({ start, end }) => address >= start && address < end);
}
