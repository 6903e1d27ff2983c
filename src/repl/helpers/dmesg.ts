import { InvalidArgumentError } from "../../core/errors.ts";
import { checkOptions, type OptionShape, wholeNumberFrom } from "../../core/options.ts";
import type { Helper } from "../helper.ts";
import { useLinux } from "../linux.ts";
import { asRows, SHOWN_ROWS } from "../show/rows.ts";

/** Which records of the log are wanted. */
interface DmesgOptions {
  /** The newest so many; all if left out. */
  readonly last?: number;
  /** Those whose text has this in it, whatever the case; or matches. */
  readonly grep?: string | RegExp;
  /** Those of this level and worse: 3 is an error, 4 a warning. */
  readonly level?: number;
}

const SHAPE: OptionShape<DmesgOptions> = {
  last: wholeNumberFrom(1),
  grep: (value) =>
    typeof value === "string" || value instanceof RegExp ? null : "text or a regular expression",
  level: wholeNumberFrom(0),
};

/** `dmesg(n)`. */
export const DMESG: Helper = {
  name: "dmesg",
  usage: "dmesg(n?)",
  purpose: "the newest records of the kernel's log, or those with a text",
  takesText: true,
  on: "linux",
  notes: [
    "40 if n is left out; dmesg(Infinity) has all. An array of records with timeNs, level and text.",
    'dmesg("error") or dmesg(/page fault/) has the records with that in them; dmesg({ level: 3 })',
    'errors and worse; dmesg({ last: 5, grep: "vfio" }) the newest of these.',
    "To follow new records, across resets too: for (const event of session.followLog()) ….",
  ],
  example: `
> dmesg(2)
[…] …
[…] …
> dmesg("linux version").length
1
> dmesg({ last: 1, grep: /Linux version/ })[0].level
5
> dmesg(Infinity).find(({ text }) => text.startsWith("Linux version")).level
5
`,
  create: (repl) => async (wanted: unknown = SHOWN_ROWS) => {
    const { last = Infinity, grep, level = 7 } = asOptions(wanted);
    const { logText } = await import("../../report/log_text.ts");
    const { signal } = repl;
    return await useLinux(repl.guest, async ({ linux }) => {
      const isAll = last === Infinity || grep !== undefined || level < 7;
      const onPartial = (reason: string) => repl.print(`note: ${reason}`);
      const records = await linux.dmesg({ signal, onPartial, ...isAll ? {} : { last } });
      const fitting = records.filter((record) => record.level <= level && has(record.text, grep));
      return asRows(last === Infinity ? fitting : fitting.slice(-last), {
        line: logText,
        shown: Infinity,
      });
    });
  },
};

function asOptions(wanted: unknown): DmesgOptions {
  if (typeof wanted === "string" || wanted instanceof RegExp) return { grep: wanted };
  if (typeof wanted === "object" && wanted !== null) {
    const options = "last" in wanted && typeof wanted.last === "bigint"
      ? { ...wanted, last: Number(wanted.last) }
      : wanted;
    checkOptions<DmesgOptions>(options, "the options of dmesg", SHAPE);
    return options;
  }
  const last = typeof wanted === "bigint" ? Number(wanted) : wanted;
  if (last === Infinity) return {};
  if (Number.isSafeInteger(last) && last as number > 0) return { last: last as number };
  throw new InvalidArgumentError(
    `Not a count of records: ${
      String(wanted)
    }; dmesg(10), dmesg("error") or dmesg({ level: 3 }) would do`,
    wanted,
  );
}

function has(text: string, grep: string | RegExp | undefined): boolean {
  if (grep === undefined) return true;
  return typeof grep === "string"
    ? text.toLowerCase().includes(grep.toLowerCase())
    : text.search(grep) >= 0;
}
