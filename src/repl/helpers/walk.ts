import type { AddressLike } from "../../core/address.ts";
import type { GuestWalkOptions } from "../../session/guest_walk.ts";
import { splitTableChoice } from "../../session/table_choice.ts";
import { nameAbsentEntry, rememberMeaning } from "../absent_entry.ts";
import type { Helper } from "../helper.ts";
import { showAs } from "../show/renderers.ts";
import { walkText } from "../show/walk_text.ts";

/** `walk(va)`. */
export const WALK: Helper = {
  name: "walk",
  usage: "walk(va)",
  purpose: "walk the page tables for an address, level by level",
  addresses: [0],
  notes: [
    "flags: U user, W writable, X executable, - where the entry does not allow it; then A accessed,",
    "D dirty, G global, PS large page, PAT, PCD, PWT. decides: the level that decides a right.",
    "walk(va, { root: 0x… }), { cpu: 1 } or { sampleMs: 5000 } walk other tables than the prompt's;",
    '{ device: "00:03.0" } those that translate that device\'s DMA. So do all that take tables.',
  ],
  example: `
> walk(0x7f1241000000)
0x7f12_4100_0000 in 4-level paging, root 0x510_0000 (vCPU 0)
level  index  at          entry                  flags       decides
PML4     254  0x510_07f0  0x0000_0000_0510_7007  U W X
PDPT      73  0x510_7248  0x0000_0000_0510_b007  U W X
PD         8  0x510_b040  0x0000_0000_0510_c003  - W X       U=0
PT         0  0x510_c000  0x8000_0000_1018_8067  U W -  A D  W=1 X=0
mapped to 0x1018_8000, 4 KiB page: user no (PDE decides, PTE allows it), write yes, execute no
> walk(0xffffffff81000000).pageSizeBytes
2097152
`,
  create: (repl) => async (address: AddressLike, options: GuestWalkOptions = {}) => {
    const walk = await repl.guest.use((session, choice) =>
      session.walk(address, { signal: repl.signal, ...chosen(options, choice), ...options })
    );
    if (walk.outcome !== "notPresent") return walk;
    const { regime: context, source } = walk;
    const content = context.rules.absentContent(walk.entry.raw, walk.level);
    const named = await nameAbsentEntry(repl.guest, content, {
      ...{ address: walk.address, context, source },
    });
    rememberMeaning(walk.entry, named);
    return named === content ? walk : showAs(walk, (each, style) => walkText(each, style, named));
  },
};

/** The prompt's choice of table, unless the call makes one. */
export function chosen<T extends object>(options: object, choice: T): T | Record<string, never> {
  const [own] = splitTableChoice(options);
  return Object.keys(own).length > 0 ? {} : choice;
}
