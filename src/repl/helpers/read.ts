import type { AddressLike } from "../../core/address.ts";
import type { TableChoice } from "../../session/table_choice.ts";
import type { Helper } from "../helper.ts";
import { hexdumpText } from "../show/memory_text.ts";
import { showAs } from "../show/renderers.ts";

/** `read(va, lengthBytes)`. */
export const READ: Helper = {
  name: "read",
  usage: "read(va, bytes?)",
  purpose: "read memory by virtual address, as a hexdump",
  addresses: [0],
  notes: ["Returns a Uint8Array; 64 bytes if no length is given."],
  example: `
> read(0x7f1234567000, 16)
0x7f12_3456_7000  44 4d 41 20 70 61 67 65  20 30 0a 00 00 00 00 00  |DMA page 0......|
`,
  create:
    (repl) => async (at: AddressLike, lengthBytes: number | bigint = 64, options?: TableChoice) => {
      const address = BigInt(at);
      const bytes = await repl.guest.use(async (session, choice) => {
        const space = await session.addressSpace(options ?? choice);
        return await space.read(address, Number(lengthBytes), { signal: repl.signal });
      });
      // A copy: what was read may belong to a cache, and is the user's from now on.
      return showAs(bytes.slice(), (value, style) => hexdumpText(value, address, style));
    },
};
