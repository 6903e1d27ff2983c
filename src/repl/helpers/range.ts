import { InvalidArgumentError } from "../../core/errors.ts";
import { formatSize } from "../../report/size.ts";
import { addressFrom, asRange, rangeFrom } from "../address_argument.ts";
import type { Helper } from "../helper.ts";
import { readPasted } from "../screen/pasted.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";

/** `range(text)`, `range(start, end)`. */
export const RANGE: Helper = {
  name: "range",
  usage: "range(text)",
  purpose: "a range of addresses, as maps, dmesg and others print it",
  notes: [
    "range(start, end) makes one of two addresses.",
    "mappings(range) and verifyRange(range) take it, and the text itself; so does whatever takes an",
    "address, for its start. The end is the first address after the range, but not in [mem …-…].",
  ],
  example: `
> range("7f1234567000-7f1234667000 rw-p 00000000 00:00 0")
0x7f12_3456_7000-0x7f12_3466_7000, 1 MiB: rw-p 00000000 00:00 0
> [mem 0x0000000000001000-0x000000000009ffff] usable
0x1000-0xa_0000, 636 KiB: usable
> 0x7f1234567000-0x7f1234577000
0x7f12_3456_7000-0x7f12_3457_7000, 64 KiB
> verifyRange(_).verdict
pass
`,
  create: (repl) => async (first: unknown, end?: unknown) => {
    const found = end === undefined
      ? await rangeFrom(first, repl)
      : between(await addressFrom(first, repl), await addressFrom(end, repl));
    if (!found) {
      throw new InvalidArgumentError(
        `No range: ${JSON.stringify(first) ?? "nothing"}; ` +
          'range("7f1234567000-7f1234667000") or range(start, end) would do',
        first,
      );
    }
    const pasted = typeof first === "string" ? readPasted(first) : undefined;
    const note = pasted?.kind === "range" && pasted.note !== "" ? `: ${pasted.note}` : "";
    return showAs(found, ({ start, lengthBytes }, style) => {
      const last = BigInt(start) + BigInt(lengthBytes);
      return `${style.value(`${groupHex(BigInt(start))}-${groupHex(last)}`)}, ${
        formatSize(lengthBytes)
      }${note}`;
    });
  },
};

function between(start: bigint, end: bigint) {
  return end > start ? asRange(start, end - start) : undefined;
}
