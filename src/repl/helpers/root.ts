import type { AddressLike } from "../../core/address.ts";
import { escapeText } from "../../core/escape.ts";
import { describeNoTables } from "../../translate/no_tables.ts";
import type { Style } from "../../report/style.ts";
import { describeSource, type PageTable, type TableChoice } from "../../session/table_choice.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";

/** `root(address)`. */
export const ROOT: Helper = {
  name: "root",
  usage: "root(addr?)",
  purpose: "choose, or say, whose page tables are walked",
  notes: [
    "Page tables are private to each process, and a vCPU runs on those of the task on it.",
    "root(0x5100000) walks the tables at that physical address: a process's root, or a register's value.",
    'root({ device: "00:03.0" }) walks those of a device, by its addresses (IOVAs).',
    "root({ cpu: 1 }) walks those of vCPU 1, whatever runs there; root(null) those of the monitor's",
    "vCPU, as at the start. If the process sleeps, walk(va, { sampleMs: 5000 }) waits until it runs.",
  ],
  example: `
> root(0x5000000)
4-level paging, root 0x500_0000 (given root)
> walk(0x7f1234567000).outcome
notPresent
> root(null)
4-level paging, root 0x510_0000 (vCPU 0)
> root({ cpu: 1 })
4-level paging, root 0x500_0000 (vCPU 1)
`,
  create: (repl) => async (choice?: AddressLike | TableChoice | null) => {
    if (choice !== undefined) {
      // Nothing is chosen that the guest does not have.
      const wanted = asChoice(choice);
      await repl.guest.use((session) => session.pageTable(wanted));
      repl.guest.choose(wanted);
    }
    const table = await repl.guest.use((session, chosen) => session.pageTable(chosen));
    return showAs(table, tableText);
  },
};

function asChoice(choice: AddressLike | TableChoice | null): TableChoice {
  if (choice === null) return {};
  return typeof choice === "object" ? choice : { root: choice };
}

/** Says which tables, and whose. */
export function tableText({ context, source }: PageTable, style: Style): string {
  if (context.noTables) return `${style.bad("no tables")}: ${describeNoTables(context.noTables)}`;
  const root = style.value(groupHex(context.root));
  return `${context.mode} paging, root ${root} (${escapeText(describeSource(source))})`;
}
