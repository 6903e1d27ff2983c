import { type AddressLike, parseAddress } from "../../core/address.ts";
import { entryBits } from "../../translate/entry_bits.ts";
import type { PagingModeName } from "../../arch/x86/paging_context.ts";
import { bits } from "../../arch/x86/bits.ts";
import type { PageTableEntry } from "../../translate/entry.ts";
import type { Helper } from "../helper.ts";

/** `bits(entry, level)`. */
export const BITS: Helper = {
  name: "bits",
  usage: "bits(entry, level?)",
  purpose: "name every bit of a page-table entry",
  notes: [
    "entry: a number, or an entry of a walk, as in bits(walk(va).steps[2]), which knows its level.",
    "level: 1 (PT, if left out) to 5. The paging mode is that of the current table.",
  ],
  example: `
> bits(0x510c003, 2)
PDE 0x510_c003 of 4-level paging: points to a table
 bits  name  Linux           value       meaning
    0  P     _PAGE_PRESENT   1           present
    1  R/W   _PAGE_RW        1           writable
    2  U/S   _PAGE_USER      0           supervisor only
…
51:12  ADDR                  0x510_c000  physical address
…
`,
  create: (repl) => async (entry: AddressLike | PageTableEntry, level?: number) => {
    const { context } = await repl.guest.use((session, choice) => session.pageTable(choice));
    if (context.rules.architecture !== "x86") {
      const { raw, level: own } = typeof entry === "object"
        ? entry
        : { raw: parseAddress(entry), level: 0 };
      return entryBits(raw, level ?? own, context);
    }
    const mode = (context.mode === "none" ? "4-level" : context.mode) as PagingModeName;
    return typeof entry === "object"
      ? bits(entry.raw, { level: level ?? entry.level, mode })
      : bits(entry, { level: level ?? 1, mode });
  },
};
