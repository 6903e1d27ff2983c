import { formatAddress } from "../core/address.ts";
import { checkOptions, FUNCTION, OBJECT } from "../core/options.ts";
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
  options: LineOptions,
): Required<LineOptions> {
  checkOptions(options, "the options of a line", { style: OBJECT, address: FUNCTION });
  const { style = PLAIN, address = (value: bigint) => formatAddress(value) } = options;
  return { style, address };
}
