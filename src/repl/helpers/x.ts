import type { AddressLike } from "../../core/address.ts";
import type { TableChoice } from "../../session/table_choice.ts";
import type { Helper } from "../helper.ts";
import { wordsText } from "../show/memory_text.ts";
import { showAs } from "../show/renderers.ts";
import { toWords, wholeNumber, wordSize } from "./words.ts";

/** `x(address, count, size)`. */
export const X: Helper = {
  name: "x",
  usage: "x(va, count?, size?)",
  purpose: "read words by virtual address",
  addresses: [0],
  notes: [
    "As xp, but through the current tables. x/4gx $rsp, typed as in gdb or the monitor, does the same.",
  ],
  example: `
> x(0x7f1234567000, 2)
0x7f12_3456_7000  0x6567_6170_2041_4d44  0x0000_0000_000a_3020
> x/2gx 0x7f1234567000
0x7f12_3456_7000  0x6567_6170_2041_4d44  0x0000_0000_000a_3020
`,
  create: (repl) =>
  async (
    address: AddressLike,
    many: number | bigint = 1,
    size: number | string = 8,
    options?: TableChoice,
  ) => {
    const at = BigInt(address);
    const wordBytes = wordSize(size);
    const count = wholeNumber(many);
    const bytes = await repl.guest.use(async (session, choice) => {
      const space = await session.addressSpace(options ?? choice);
      return await space.read(at, count * wordBytes, { signal: repl.signal });
    });
    return showAs(
      toWords(bytes, wordBytes),
      (values, style) => wordsText(values, { address: at, wordBytes }, style),
    );
  },
};
