/** Who wrote a line of a log: the kernel, a program through `/dev/kmsg` or a logger, or not told. */
export type LogOrigin = "kernel" | "program" | "unknown";

/** A line of a text log: the record's text, and what was printed before it. */
export interface LogLine {
  /** The text of the record, without any prefix. */
  readonly text: string;
  /** What stood before the text; empty for a bare line. */
  readonly prefix: string;
  /** Who wrote it. Plain `dmesg` does not tell; `dmesg -x` and `/dev/kmsg` do. */
  readonly origin: LogOrigin;
  /** The kernel's own time stamp as it was printed, to the microsecond; empty if there is none. */
  readonly stamp: string;
}

/** No record of the kernel is longer (PRINTK_MESSAGE_MAX, kernel/printk/internal.h), nor is a prefix. */
export const MAX_LINE_CHARACTERS = 4096;

// Each part stands once at most and in this order. No quantifier is within another or without a bound,
// so that a line costs time in proportion to its length.

/** `/dev/kmsg`: priority and facility, sequence number, microseconds, flags (Documentation/ABI/testing/dev-kmsg). */
const KMSG = /^(\d{1,6}),\d{1,20},\d{1,20},[^;]{0,256};/;
/** syslog's number, of RFC 5424 with a version behind it. */
const PRIORITY = /^<(\d{1,4})>(?:1 )?/;
/** `dmesg -x`. */
const DECODED = /^([a-z][a-z0-9]{1,8}) *:([a-z]{4,6}) *: /;

const MONTH_DAY = String.raw`[A-Z][a-z]{2} [ \d]\d`;
const CLOCK = String.raw`\d\d:\d\d:\d\d(?:[.,]\d{1,9})?`;
const ISO_DAY = String.raw`\d{4}-\d\d-\d\d`;
const WALL_TIMES = [
  // journalctl -o short, syslog files, `ts`; dmesg -T with its day and year.
  String.raw`(?:[A-Z][a-z]{2} )?${MONTH_DAY} ${CLOCK}(?: \d{4})?`,
  // -o short-iso and syslog files; -o short-full.
  String.raw`(?:[A-Z][a-z]{2} )?${ISO_DAY}[T ]${CLOCK}(?:Z|[+-]\d\d:?\d\d| [A-Z]{1,5}| [+-]\d\d)?`,
  // A serial console's logger; -o short-unix; dmesg --time-format reltime.
  CLOCK,
  String.raw`\d{9,11}\.\d{6}`,
  String.raw`[A-Z][a-z]{2}\d\d \d\d:\d\d`,
  String.raw` {0,4}\+\d{1,6}\.\d{6}`,
].join("|");
const WALL_TIME = new RegExp(String.raw`^(?:\[(?:${WALL_TIMES})\]|(?:${WALL_TIMES})) `);

/** A host's name and the kernel's, as journals and syslog files have them; no process id behind it. */
const KERNEL_NAME =
  /^(?:[\w.:-]{1,255} )?(?:kern\.[a-z]{1,7} )?kernel(?:: | - - (?:-|\[[^\]]{0,200}\]) )/;
/** Seconds since boot, with `dmesg --show-delta`'s difference, and who was running (CONFIG_PRINTK_CALLER). */
const KERNEL_TIME = /^\[ {0,12}\d{1,12}\.\d{1,9}(?: {1,2}< {0,12}\d{1,12}\.\d{1,9}>)?\] ?/;
const CALLER = /^\[ {0,12}[TC]\d{1,10}\] ?/;

// deno-lint-ignore no-control-regex -- that is what colours are made of
const COLOURS = /\x1b\[[0-9;?]{0,32}[A-Za-z]/g;

/**
 * Takes off a line of a text log what `dmesg` (plain, `-T`, `-x`, `-r`), `journalctl`, syslog files,
 * `/dev/kmsg` and serial consoles put before a record: times, facility, host and caller, each once at
 * most. Colours and carriage returns go too. A line longer than any record is cut.
 */
export function parseLogLine(line: string): LogLine {
  const cut = line.length > MAX_LINE_CHARACTERS
    ? line.slice(0, MAX_LINE_CHARACTERS)
    : line.trimEnd();
  const clean = cut.replace(COLOURS, "").replace(/^\r+/, "");
  let at = 0;
  let origin: LogOrigin = "unknown";
  const take = (part: RegExp): RegExpMatchArray | null => {
    const found = clean.slice(at).match(part);
    at += found?.[0].length ?? 0;
    return found;
  };
  const from = (facility: string | number | undefined) => {
    if (facility !== undefined) {
      origin = facility === 0 || facility === "kern" ? "kernel" : "program";
    }
  };
  const facilityOf = (found: RegExpMatchArray | null) => found ? Number(found[1]) >> 3 : undefined;

  const kmsg = take(KMSG);
  from(facilityOf(kmsg));
  if (kmsg) return { text: clean.slice(at), prefix: kmsg[0], origin, stamp: "" };
  from(facilityOf(take(PRIORITY)));
  from(take(DECODED)?.[1]);
  take(WALL_TIME);
  from(facilityOf(take(PRIORITY)));
  if (at > 0 && take(KERNEL_NAME) && origin === "unknown") origin = "kernel";
  const stamp = take(KERNEL_TIME)?.[0] ?? "";
  if (stamp !== "") {
    take(CALLER);
    if (take(KERNEL_NAME) && origin === "unknown") origin = "kernel";
  }
  return { text: clean.slice(at), prefix: clean.slice(0, at), origin, stamp };
}
