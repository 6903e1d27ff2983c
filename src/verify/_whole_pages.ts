import { type AddressRange, parseRange } from "../translate/address_range.ts";

const PAGE_BYTES = 4096n;

/** The pages that a range touches, as whole pages of 4 KiB. */
export function wholePages(range: Required<AddressRange>): { start: bigint; end: bigint } {
  const { start, last } = parseRange(range);
  return { start: start & ~(PAGE_BYTES - 1n), end: (last | (PAGE_BYTES - 1n)) + 1n };
}
