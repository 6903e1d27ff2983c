import { type AddressLike, parseAddress } from "../../core/address.ts";
import { entryBits } from "../../translate/entry_bits.ts";
import { architectureNamed } from "../../arch/architectures.ts";
import type { PageTableEntry } from "../../translate/entry.ts";
import { levelDecoders, type Regime } from "../../translate/regime.ts";
import { meaningOf, nameAbsentEntry } from "../linux.ts";
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
    const { registers: { modes, contextOfMode } } = architectureNamed(context.rules.architecture);
    // Where paging is off, an entry is read as the first kind of tables has it.
    const mode = modes.find((name) => name !== "none")!;
    const regime = levelDecoders(context).length > 0 ? context : contextOfMode(mode, {});
    const read = typeof entry === "object"
      ? entryBits(entry.raw, level ?? entry.level, regime)
      : entryBits(parseAddress(entry), level ?? smallest(regime), regime);
    const { notPresent } = read;
    if (notPresent === undefined) return read;
    const known = typeof entry === "object" ? meaningOf(entry) : undefined;
    return { ...read, notPresent: known ?? await nameAbsentEntry(repl.guest, notPresent) };
  },
};

/** The level of the smallest pages. */
function smallest(regime: Regime): number {
  return levelDecoders(regime).at(-1)!.format.level;
}
