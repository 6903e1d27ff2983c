import type { DiffOptions, PageTableSource } from "../../../mod.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { Helper } from "../helper.ts";
import { asRows } from "../show/rows.ts";

/** `diff(before, after)`. */
export const DIFF: Helper = {
  name: "diff",
  usage: "diff(before, after?, options?)",
  purpose: "which entries came, went or changed since a snapshot",
  notes: [
    "after: another snapshot; if left out, the same tables of the guest as they are now.",
    "options: range, maxTables, accessedAndDirty: true to count those bits too.",
  ],
  example: `
> const before = snapshot(), other = snapshot({ root: 0x5000000 })
> diff(before, other, { range: { start: 0x7f1234567000, lengthBytes: 4096 } })
- 0x00007f0000000000 512 GiB PML4E 0x5107007
- 0x00007f1200000000   1 GiB PDPTE 0x5108007
- 0x00007f1234400000   2 MiB PDE 0x5109007
- 0x00007f1234567000   4 KiB PTE 0x800000011008f063
> diff(before)
no differences
`,
  create:
    (repl) => async (before: PageTableSource, after?: PageTableSource, options?: DiffOptions) => {
      for (const side of after === undefined ? [before] : [before, after]) checkSource(side);
      const [{ diff }, { differenceLine }] = await Promise.all([
        import("../../snapshot/diff.ts"),
        import("../../report/diff_text.ts"),
      ]);
      const { context } = before;
      const { signal, onProgress } = repl;
      return await repl.guest.use(async ({ memory }) => {
        const differences = diff(before, after ?? { memory, context }, {
          signal,
          ...onProgress && { onProgress },
          ...options,
        });
        return asRows(await Array.fromAsync(differences), {
          line: (difference) => differenceLine(difference, context),
          foot: ({ length }) => length === 0 ? "no differences" : "",
        });
      });
    },
};

function checkSource(side: unknown): void {
  if (typeof side === "object" && side !== null && "memory" in side && "context" in side) return;
  throw new InvalidArgumentError(
    "Snapshots are compared: diff(before), diff(before, after), or diff(before, undefined, options)",
    side,
  );
}
