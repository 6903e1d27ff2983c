import type { Helper } from "../helper.ts";
import { useLinux } from "../linux.ts";
import { asRows, SHOWN_ROWS } from "../show/rows.ts";

/** `dmesg(n)`. */
export const DMESG: Helper = {
  name: "dmesg",
  usage: "dmesg(n?)",
  purpose: "the newest records of the kernel's log",
  on: "linux",
  notes: [
    "40 if n is left out; dmesg(Infinity) has all. An array of records with timeNs, level and text.",
    "To go on with each new record: session.linux().followDmesg().",
  ],
  example: `
> dmesg(2)
[…] …
[…] …
> dmesg(Infinity).find(({ text }) => text.startsWith("Linux version")).level
5
`,
  create: (repl) => async (last: number | bigint = SHOWN_ROWS) => {
    const { logText } = await import("../../report/log_text.ts");
    const { signal } = repl;
    return await useLinux(repl.guest, async ({ linux }) => {
      const all = last === Infinity;
      const onPartial = (reason: string) => repl.print(`note: ${reason}`);
      const limits = all ? {} : { last: Number(last) };
      const records = await linux.dmesg({ signal, onPartial, ...limits });
      return asRows(records, { line: logText, shown: Infinity });
    });
  },
};
