import type { AddressLike } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { GuestWalkOptions } from "../../session/guest_walk.ts";
import { splitTableChoice } from "../../session/table_choice.ts";
import type { Walk } from "../../translate/walk.ts";
import { nameAbsentEntry, rememberMeaning } from "../linux.ts";
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
    '{ style: "xv6" } prints the entries as xv6\'s course does.',
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
  create: (repl) => async (address: AddressLike, options: GuestWalkOptions & PrintStyle = {}) => {
    const [style, others] = splitStyle(options);
    const found = await repl.guest.use((session, choice) =>
      session.walk(address, { signal: repl.signal, ...chosen(others, choice), ...others })
    );
    if (style !== undefined) return showAs(found, await xv6Walk());
    if (found.outcome !== "notPresent") return found;
    const { regime: context, source } = found;
    const content = context.rules.absentContent(found.entry.raw, found.level);
    const place = { address: found.address, context, source };
    const named = await nameAbsentEntry(repl.guest, content, place);
    rememberMeaning(found.entry, named);
    return named === content ? found : showAs(found, (walk, plain) => walkText(walk, plain, named));
  },
};

/** The prompt's choice of table, unless the call makes one. */
export function chosen<T extends object>(options: object, choice: T): T | Record<string, never> {
  const [own] = splitTableChoice(options);
  return Object.keys(own).length > 0 ? {} : choice;
}

/** How a result is printed; what it holds stays the same. */
export interface PrintStyle {
  /** As xv6's course prints page tables. @default as all else is printed here */
  readonly style?: "xv6";
}

/**
 * Takes the style out of options that were typed.
 *
 * @throws {InvalidArgumentError} if there is no such style
 */
export function splitStyle<T extends PrintStyle>(
  options: T,
): [style: PrintStyle["style"], others: Omit<T, "style">] {
  const { style, ...others } = options;
  if (style !== undefined && style !== "xv6") {
    throw new InvalidArgumentError('The only style is "xv6"', style);
  }
  return [style, others];
}

/** Writes a walk as xv6's course does. It is loaded only where that is asked for. */
export async function xv6Walk(): Promise<(walk: Walk) => string> {
  return (await import("../../report/xv6_text.ts")).xv6WalkText;
}
