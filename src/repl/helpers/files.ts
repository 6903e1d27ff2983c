import * as globs from "node:path";
import { openFileLine, openFilesHead } from "../../report/open_files_text.ts";
import type { Helper } from "../helper.ts";
import { useLinux } from "../linux.ts";
import { asRows } from "../show/rows.ts";

/** `files(what?)`. */
export const FILES: Helper = {
  name: "files",
  usage: "files(pid | path?)",
  purpose: "what processes have open: one, or all that have such a path",
  takesText: true,
  on: "linux",
  notes: [
    "A number is a pid; a text a path, in which * and ** stand for anything: who holds it. Nothing lists",
    "all. Paths are those inside the process's container. Returns an array.",
  ],
  example: `
> files("/dev/vfio/*")
    PID NAME               FD TYPE              PATH
… target … char 10:196       /dev/vfio/vfio
…
> files(1).length > 0
true
`,
  create: (repl) => (wanted?: number | bigint | string) =>
    useLinux(repl.guest, async ({ linux }) => {
      const { readProcessFiles } = await import("../../linux/files/open_files_of.ts");
      const reads = { signal: repl.signal };
      const isPid = typeof wanted === "number" || typeof wanted === "bigint";
      const processes = isPid ? [await linux.process(Number(wanted), reads)] : undefined;
      const found = await readProcessFiles(linux, processes, reads);
      const error = found.find(({ error }) => error !== null)?.error;
      // What cannot be read is not absent.
      if (error) throw error;
      const rows = found.flatMap(({ process: { pid, comm }, files }) =>
        files.map((file) => ({ pid, comm, ...file }))
      );
      const listed = typeof wanted === "string"
        ? rows.filter(({ path }) => path === null || globs.matchesGlob(path, wanted))
        : rows;
      return asRows(listed, {
        head: () => openFilesHead(),
        line: (row, style) => openFileLine(row, row, { style }),
      });
    }),
};
