import type { Helper } from "../helper.ts";
import { processNames, useLinux } from "../linux.ts";
import { showAs } from "../show/renderers.ts";
import { tableText } from "./root.ts";

/** `pid(wanted)`. */
export const PID: Helper = {
  name: "pid",
  usage: "pid(number | name)",
  purpose: "walk the page tables of this process from now on",
  takesText: true,
  on: "linux",
  notes: [
    "A number is a pid, a text a name; Tab completes names. root(null) goes back to the monitor's vCPU.",
    "Each use checks that the process is still there, so its exit is noticed.",
  ],
  example: `
> pid("target")
4-level paging, root … (pid … target)
> read("0x7f1234567000", 9)
…
> root(null)
4-level paging, root … (vCPU 0)
`,
  complete: processNames,
  create: (repl) => async (wanted?: number | bigint | string) => {
    const { guest, signal } = repl;
    if (wanted !== undefined) {
      const known = typeof wanted === "bigint" ? Number(wanted) : wanted;
      // Nothing is chosen that has no tables.
      const find = async (): Promise<number> => {
        if (guest.current?.kernelPath) {
          return await guest.use(async (session) =>
            (await (await session.elfKernel()).tableOf(known, { signal })).pid
          );
        }
        return await useLinux(guest, async ({ linux }) => {
          const found = await linux.process(known, { signal });
          linux.contextOf(found);
          return found.pid;
        });
      };
      guest.choose({ pid: await find() });
    }
    const table = await guest.use((session, choice) =>
      session.pageTable(choice, undefined, { signal })
    );
    return showAs(table, tableText);
  },
};
