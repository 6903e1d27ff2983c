import { InvalidArgumentError } from "../../core/errors.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";

/** `hex(x)`. */
export const HEX: Helper = {
  name: "hex",
  usage: "hex(x)",
  purpose: "write a number, or each of an array, in hexadecimal",
  example: `
> hex(0x7f1234567000 + 4096)
0x7f12_3456_8000
> hex([10, 0xffffffff81000000])
[ "0xa", "0xffff_ffff_8100_0000" ]
`,
  create: () => hex,
};

function hex(value: unknown): string | string[] {
  if (Array.isArray(value)) return value.map((item) => String(hex(item)));
  if (value instanceof Uint8Array) {
    return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  }
  if (typeof value === "bigint" || typeof value === "number" && Number.isInteger(value)) {
    return groupHex(value);
  }
  throw new InvalidArgumentError(`Not a whole number: ${String(value)}`, value);
}
