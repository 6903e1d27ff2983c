import { type AddressLike, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { Helper } from "../helper.ts";
import { wordsText } from "../show/memory_text.ts";
import { showAs } from "../show/renderers.ts";

/** The word sizes, by the letters that `xp` has for them. */
const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };

/** `xp(address, count, size)`. */
export const XP: Helper = {
  name: "xp",
  usage: "xp(addr, count?, size?)",
  purpose: "read words of physical memory",
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
      const address = parseAddress(at);
      const wordBytes = wordSize(size);
      const count = wholeNumber(many);
      const bytes = await repl.guest.use((session) =>
        session.memory.read(address, count * wordBytes, { signal: repl.signal })
      );
      const words = Array.from({ length: count }, (_, i) => word(bytes, i * wordBytes, wordBytes));
      return showAs(words, (values, style) => wordsText(values, { address, wordBytes }, style));
    },
};

function word(bytes: Uint8Array, offset: number, length: number): bigint {
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[offset + i]!);
  return value;
}

function wordSize(size: number | string): number {
  const bytes = SIZES[size] ?? Number(size);
  if ([1, 2, 4, 8].includes(bytes)) return bytes;
  throw new InvalidArgumentError(`A word has 1, 2, 4 or 8 bytes (b, h, w, g), not ${size}`, size);
}

function wholeNumber(count: unknown): number {
  const value = typeof count === "bigint" ? Number(count) : count;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`Not a count of words: ${count}`, count);
}
