import type { AddressLike } from "../../core/address.ts";
import type { AliasRecord } from "../../translate/aliases.ts";
import type { AliasAllRecord } from "../../session/aliases_all.ts";
import type { GuestAliasesOptions } from "../../session/ranges.ts";
import { tallied } from "../all.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";
import { asRows } from "../show/rows.ts";
import { chosen } from "./walk.ts";

/** Which tables to search, or all. */
interface AliasesHelperOptions extends GuestAliasesOptions {
  readonly all?: boolean;
}

type Found = Extract<AliasAllRecord, { kind: "alias" }>;

/** `aliases(physical)`. */
export const ALIASES: Helper = {
  name: "aliases",
  usage: "aliases(physical, options?)",
  purpose: "every virtual address that reaches a physical one",
  addresses: [0],
  notes: [
    "In the current tables, including the kernel's direct map. options: range, maxAliases,",
    "maxTables, and whose tables, as with walk. all: true searches all processes of a Linux guest.",
  ],
  example: `
> aliases(translate(0x7f1234577008))
0x7f12_3457_7008  4 KiB page  urw-
0x7f60_0000_0000  the table could not be read: there may be more
`,
  create:
    (repl) => async (physical: AddressLike, { all, ...options }: AliasesHelperOptions = {}) => {
      const { aliasLine, allTallyText, processText } = await import("../../report/all_text.ts");
      const { signal, onProgress } = repl;
      if (all) {
        return await repl.guest.use(async (session) => {
          const found = session.aliasesInAll(physical, { ...options as object, signal });
          const { rows, tally } = await tallied<Found, AliasRecord & Pick<Found, "process">>(
            found,
            ({ process, alias }) => ({ ...alias, process }),
          );
          return asRows(rows, {
            line: (row) =>
              `${aliasLine(row, groupHex)}  ${
                row.process ? processText(row.process) : "the kernel"
              }`,
            foot: () => allTallyText(tally, "searched"),
          });
        });
      }
      return await repl.guest.use(async (session, choice) => {
        const found = session.aliases(physical, {
          signal,
          ...onProgress && { onProgress },
          ...chosen(options, choice),
          ...options,
        });
        return asRows(await Array.fromAsync(found), {
          line: (alias) => aliasLine(alias, groupHex),
        });
      });
    },
};
