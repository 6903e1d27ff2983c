import { formatAddress } from "../core/address.ts";
import { PLAIN, type Style } from "./style.ts";

/** How a line of a report is written. */
export interface LineOptions {
  /**
   * With which colours.
   *
   * @default {PLAIN}
   */
  readonly style?: Style;
  /**
   * Writes an address.
   *
   * @default {formatAddress}
   */
  readonly address?: (address: bigint) => string;
}

/** The options with what was left out. */
export function completeLineOptions(
  { style = PLAIN, address = (value) => formatAddress(value) }: LineOptions,
): Required<LineOptions> {
  return { style, address };
}
