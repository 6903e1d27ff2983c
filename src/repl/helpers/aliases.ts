import type { AddressLike } from "../../core/address.ts";
import type { AliasRecord } from "../../translate/aliases.ts";
import type { GuestAliasesOptions } from "../../session/ranges.ts";
import type { Style } from "../../report/style.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";
import { asRows } from "../show/rows.ts";
import { chosen } from "./walk.ts";

/** `aliases(physical)`. */
export const ALIASES: Helper = {
  name: "aliases",
  usage: "aliases(physical, options?)",
  purpose: "every virtual address that reaches a physical one",
  addresses: [0],
  notes: [
    "In the current tables, including the kernel's direct map. options: range, maxAliases,",
    "maxTables, and whose tables, as with walk.",
  ],
  example: `
> aliases(translate(0x7f1234577008))
0x7f12_3457_7008  4 KiB page  urw-
0x7f60_0000_0000  the table could not be read: there may be more
`,
  create: (repl) => async (physical: AddressLike, options: GuestAliasesOptions = {}) => {
    const [{ formatSize }, { rightsText }] = await Promise.all([
      import("../../report/size.ts"),
      import("../../report/mappings_text.ts"),
    ]);
    const { signal, onProgress } = repl;
    return await repl.guest.use(async (session, choice) => {
      const found = session.aliases(physical, {
        signal,
        ...onProgress && { onProgress },
        ...chosen(options, choice),
        ...options,
      });
      return asRows(await Array.fromAsync(found), { line });
    });

    function line(alias: AliasRecord, style: Style): string {
      const address = style.value(groupHex(alias.address));
      switch (alias.kind) {
        case "alias":
          return `${address}  ${formatSize(alias.pageSizeBytes)} page  ${
            rightsText(alias.effective)
          }`;
        case "unreadable":
          return `${address}  ${style.bad("the table could not be read")}: there may be more`;
        case "truncated":
          return `${address}  ${
            style.bad("the search ended here")
          }: maxAliases, maxTables allow more`;
      }
    }
  },
};
