import { parseAddress } from "../../core/address.ts";

/** Digits with separators between them, as C++, gdb's users and WinDbg group them: 0xffff'8000. */
const SEPARATED = /^(?:0[xX])?[0-9a-fA-F]+(?:['_`][0-9a-fA-F]+)+$/;

/** Hexadecimal without a prefix: as many digits as tools print, and no number in decimal. */
const BARE = /^(?=.*[a-fA-F]|0)[0-9a-fA-F]{8,16}$/;

const PREFIXED = /^0[xX][0-9a-fA-F]{1,16}$/;

/**
 * Reads an address in the forms that tools print: `ffffffff81000000`, `0000000000400000`,
 * `0xffff'8000'0000'0000`, `<ffffffff8105b0d9>`. Undefined for text that is none.
 */
export function readAddress(text: string): bigint | undefined {
  const bare = /^[\[<]*(.*?)[\]>:,]*$/.exec(text.trim())![1]!;
  const digits = SEPARATED.test(bare) ? bare.replace(/['_`]/g, "") : bare;
  if (PREFIXED.test(digits)) return BigInt(digits);
  if (BARE.test(digits)) return BigInt(`0x${digits}`);
  return SEPARATED.test(bare) && /^[0-9]+$/.test(digits) ? parseAddress(digits) : undefined;
}

/** Reads digits that are hexadecimal because of where they stand. */
export function readHex(digits: string): bigint {
  return BigInt(`0x${digits.replace(/^0[xX]/, "").replace(/['_`]/g, "")}`);
}
