import type { AddressLike } from "../../core/address.ts";
import type { GuestWalkOptions } from "../../session/guest_walk.ts";
import type { Expectation } from "../../verify/expectation.ts";
import type { Helper } from "../helper.ts";
import { showAs } from "../show/renderers.ts";
import { verdictText } from "../show/verdict_text.ts";
import { chosen, type PrintStyle, splitStyle, xv6Walk } from "./walk.ts";

/** `verify(va)`. */
export const VERIFY: Helper = {
  name: "verify",
  usage: "verify(va, expectation?)",
  purpose: "judge an entry: is _PAGE_USER clear, or what you expect?",
  addresses: [0],
  notes: [
    "Without an expectation: is _PAGE_USER clear in the entry that maps the page?",
    "expectation: any of present, user, writable, executable: true or false, and",
    'scope: "leaf" (the last entry, the default) or "effective" (what all levels leave).',
    "A third argument chooses other tables than the prompt's, or a style, as with walk.",
  ],
  example: `
> verify(0x7f1234567000).reason
_PAGE_USER is cleared in the PTE
> verify(0x7f1234577000).verdict
fail
> verify(0x7f1241000000, { user: false, scope: "effective" })
0x7f12_4100_0000 in 4-level paging, root 0x510_0000 (vCPU 0)
level  index  at          entry                  flags       decides
PML4     254  0x510_07f0  0x0000_0000_0510_7007  U W X
PDPT      73  0x510_7248  0x0000_0000_0510_b007  U W X
PD         8  0x510_b040  0x0000_0000_0510_c003  - W X       U=0
PT         0  0x510_c000  0x8000_0000_1018_8067  U W -  A D  W=1 X=0
mapped to 0x1018_8000, 4 KiB page: user no (PDE decides, PTE allows it), write yes, execute no
PASS: …
`,
  create: (repl) =>
  async (
    address: AddressLike,
    expectation?: Expectation,
    options: GuestWalkOptions & PrintStyle = {},
  ) => {
    const [style, others] = splitStyle(options);
    const found = await repl.guest.use((session, choice) =>
      session.verify(address, expectation, {
        signal: repl.signal,
        ...chosen(others, choice),
        ...others,
      })
    );
    if (style === undefined) return found;
    const written = await xv6Walk();
    return showAs(found, (value, paint) => verdictText(value, paint, written));
  },
};
