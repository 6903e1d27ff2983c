import type { LineOptions } from "../../report/line_options.ts";

/**
 * Writes a number in hexadecimal, digits in groups of four: `0x7f12_3456_7000`. What it writes can be
 * typed back in.
 *
 * @param digits the least number of digits
 */
export function groupHex(value: bigint | number, digits = 1): string {
  const big = BigInt(value);
  const all = (big < 0n ? -big : big).toString(16).padStart(digits, "0");
  const groups: string[] = [];
  for (let end = all.length; end > 0; end -= 4) {
    groups.unshift(all.slice(Math.max(0, end - 4), end));
  }
  return `${big < 0n ? "-" : ""}0x${groups.join("_")}`;
}

/** Has a report write its addresses so. */
export const GROUPED: LineOptions = { address: (value) => groupHex(value) };
