import { InvalidArgumentError } from "../../core/errors.ts";
import type { LinuxProcess } from "../../linux/processes.ts";
import { sumAreaPages } from "../../linux/memory_sums.ts";
import { areaLine, memorySumsLine } from "../../report/area_text.ts";
import type { Helper } from "../helper.ts";
import { type LinuxInUse, processNames, useLinux } from "../linux.ts";
import { asRows } from "../show/rows.ts";

/** `maps(pid)`. */
export const MAPS: Helper = {
  name: "maps",
  usage: "maps(number | name)",
  purpose: "a process's memory areas, and what its tables say of each",
  takesText: true,
  on: "linux",
  notes: [
    "Without an argument: those of the process whose tables are walked. An array of areas, each with",
    "start, end, permissions and name as in /proc/PID/maps, and pages, summed up from the tables. The",
    "last line sums all areas shown, by the names of smaps.",
  ],
  example: `
> maps("target")
…
7f1234567000-7f1234667000 rw-p                          1 MiB, _PAGE_USER CLEARED …
…
7f1250020000-7f1250024000 ---p                          PROT_NONE 16 KiB
…
> maps("target").find(({ name }) => name === "[stack]").permissions
rw-p
`,
  complete: processNames,
  create: (repl) => (wanted?: number | bigint | string) =>
    useLinux(repl.guest, async (use) => {
      const { linux } = use;
      const { signal } = repl;
      const process = wanted === undefined
        ? await processAtHand(use, signal)
        : await linux.process(typeof wanted === "bigint" ? Number(wanted) : wanted, { signal });
      const areas = await linux.vmas(process, { signal });
      const pages = await Array.fromAsync(linux.areaPages(process, areas, { signal }));
      const rows = areas.map((area, i) => ({ ...area, pages: pages[i]! }));
      return asRows<(typeof rows)[number]>(rows, {
        line: areaLine,
        foot: (shown) => memorySumsLine(sumAreaPages(shown, shown.map(({ pages }) => pages))),
      });
    }),
};

/** The process whose tables are walked. */
async function processAtHand(
  { linux, session, choice }: LinuxInUse,
  signal: AbortSignal,
): Promise<LinuxProcess> {
  const { context: { root } } = await session.pageTable(choice, undefined, { signal });
  const all = await linux.processes({ signal });
  const found = all.find((process) => process.root === root || process.userRoot === root);
  if (found) return found;
  throw new InvalidArgumentError(
    "The current tables belong to no process: name one, as in maps(1), or choose one with pid(1)",
    choice,
  );
}
