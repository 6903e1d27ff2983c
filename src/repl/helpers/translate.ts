import type { AddressLike } from "../../core/address.ts";
import type { TableChoice } from "../../session/table_choice.ts";
import type { Helper } from "../helper.ts";

/** `translate(va)`. */
export const TRANSLATE: Helper = {
  name: "translate",
  usage: "translate(va)",
  purpose: "the physical address of a virtual one, or null",
  addresses: [0],
  example: `
> translate(0x7f1234567008)
0x1_1008_f008
> translate(0x100000000000)
null
`,
  create: (repl) => (address: AddressLike, options?: TableChoice) =>
    repl.guest.use((session, choice) => session.translate(address, options ?? choice)),
};
