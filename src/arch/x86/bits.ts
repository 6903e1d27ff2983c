import { type AddressLike, parseAddress } from "../../core/address.ts";
import { checkOptions, oneOfWords, type OptionShape, wholeNumberFrom } from "../../core/options.ts";
import { type EntryBits, entryBits } from "../../translate/entry_bits.ts";
import { assumedRegisters, pagingContext } from "./paging_context.ts";
import type { PagingModeName } from "./paging_state.ts";

/** Options of {@linkcode bits}. */
export interface BitsOptions {
  /**
   * The level of the table that holds the entry, 5 to 1; level 1 is the PT.
   *
   * @default {1}
   */
  level?: number;
  /**
   * The paging mode.
   *
   * @default {"4-level"}, or {"5-level"} for level 5
   */
  mode?: PagingModeName;
}

const BITS_SHAPE: OptionShape<BitsOptions> = {
  level: wholeNumberFrom(1, 5),
  mode: oneOfWords("none", "4-level", "5-level", "pae", "32-bit"),
};

/**
 * Names every bit of a page-table entry: the architecture's names and Linux's, with what each value
 * says. An entry that is not present is read as Linux writes it.
 *
 * @throws {InvalidArgumentError} if the mode has no such level, or the entry does not fit it
 *
 * @example Usage
 * ```ts
 * import { bits } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const { fields } = bits(0x8000_0000_3ff0_a863n);
 * const user = fields.find((field) => field.linuxName === "_PAGE_USER");
 * assertEquals(user?.meaning, "supervisor only");
 * ```
 */
export function bits(entry: AddressLike, options: BitsOptions = {}): EntryBits {
  checkOptions(options, "the options of bits()", BITS_SHAPE);
  const { level = 1 } = options;
  const mode = options.mode ?? (level === 5 ? "5-level" : "4-level");
  return entryBits(parseAddress(entry), level, pagingContext(assumedRegisters(mode)));
}
