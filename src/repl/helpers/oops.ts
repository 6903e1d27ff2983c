import { InvalidArgumentError } from "../../core/errors.ts";
import type { GuestWalkOptions } from "../../session/guest_walk.ts";
import type { Helper } from "../helper.ts";
import { GROUPED } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";
import { walkText } from "../show/walk_text.ts";

/** `oops(text)`. */
export const OOPS: Helper = {
  name: "oops",
  usage: "oops(text)",
  purpose: "explain a Linux fault report with the current page tables",
  notes: [
    "text: the report as it stands in dmesg or on a console, in backquotes over several lines: a page",
    "fault, a general protection fault, a segfault, KASAN's, or registers alone. The address is walked",
    "in the tables whose root is printed, or in the process's, unless oops(text, { root: 0x… }) chooses",
    "others; the printed entries are compared with the current ones.",
  ],
  example: `
> const head = "BUG: unable to handle page fault for address: 00007f1234567000\\n"
> const code = "#PF: error_code(0x0005) - permissions violation\\nCR3: 0000000005100000\\n"
> oops(head + code + "PGD 5107007 PUD 5108007 PMD 5109007 PTE 800000011008f063")
BUG: unable to handle page fault for address: 00007f1234567000
then: a user read to 0x7f12_3456_7000, error code 0x5
it faulted: _PAGE_USER is cleared in PTE
PGD: then 0x510_7007 now 0x510_7007: as then
…
PTE: then 0x8000_0001_1008_f063 now 0x8000_0001_1008_f063: as then
now the same access faults again: …
note: …
…
mapped to 0x1_1008_f000, 4 KiB page: user no, write yes, execute no
`,
  create: (repl) => async (text: unknown, options: GuestWalkOptions = {}) => {
    if (typeof text !== "string" || text.trim() === "") {
      throw new InvalidArgumentError(
        "oops needs the report as text, in backquotes if it has several lines: oops(`BUG: …`)",
        text,
      );
    }
    const [{ explainOops }, { oopsLines }] = await Promise.all([
      import("../../session/oops.ts"),
      import("../../report/oops_text.ts"),
    ]);
    const { signal } = repl;
    const found = await repl.guest.use((session) =>
      explainOops(session, text, { signal, ...options })
    );
    return showAs(found, (value, style) => {
      const lines = oopsLines(value, { ...GROUPED, style });
      return [...lines, ...value.walk ? [walkText(value.walk, style)] : []].join("\n");
    });
  },
};
