import type { AddressLike } from "../../core/address.ts";
import type { Helper } from "../helper.ts";
import { wordsText } from "../show/memory_text.ts";
import { showAs } from "../show/renderers.ts";
import { toWords, wholeNumber, wordSize } from "./words.ts";

/** `xp(address, count, size)`. */
export const XP: Helper = {
  name: "xp",
  usage: "xp(addr, count?, size?)",
  purpose: "read words of physical memory",
  addresses: [0],
  notes: [
    "Returns an array of bigints: one if no count is given, each of 8 bytes, or of size 1, 2, 4",
    '(also "b", "h", "w", "g", as in the monitor).',
    "Only RAM and ROM are read, never a device's registers.",
  ],
  example: `
> xp(0x5109b38, 3)
0x510_9b38  0x8000_0001_1008_f063  0x8000_0001_1009_d063
0x510_9b48  0x8000_0001_100b_9063
> xp(0x5109b38)[0] & 4
0x0
`,
  create:
    (repl) => async (at: AddressLike, many: number | bigint = 1, size: number | string = 8) => {
      const address = BigInt(at);
      const wordBytes = wordSize(size);
      const count = wholeNumber(many);
      const bytes = await repl.guest.use((session) =>
        session.memory.read(address, count * wordBytes, { signal: repl.signal })
      );
      const words = toWords(bytes, wordBytes);
      return showAs(words, (values, style) => wordsText(values, { address, wordBytes }, style));
    },
};
