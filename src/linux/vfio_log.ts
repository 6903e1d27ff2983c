import { type LogLine, parseLogLine } from "./log_line.ts";
import type { LogRecord } from "./printk_ring.ts";
import { parseVfioLine, type VfioLine } from "./vfio_line.ts";
import type { VfioLogRecord } from "./vfio_log_record.ts";
import { VfioStories } from "./vfio_story.ts";

/** All that a log says about the patch. */
export interface VfioLogReading {
  /** One for each address, in the order in which they first appear, and one for each unreadable record. */
  readonly records: readonly VfioLogRecord[];
  /** How many records begin like the patch's but were written by programs: they say nothing. */
  readonly fromPrograms: number;
  /**
   * True of a text whose lines have no prefix: the name of a program that crashes may hold newlines, so
   * any user of the guest can have written what looks like a line of the patch's.
   */
  readonly isBare: boolean;
}

/**
 * Takes every page out of a kernel log that says `VFIO: Clearing _PAGE_USER` or `VFIO: Successfully
 * cleared _PAGE_USER`: what {@linkcode readVfioLog} finds, without the count of what was refused.
 *
 * @example Usage
 * ```ts
 * import { parseVfioLog } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * const log = "[ 2.5] VFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x863";
 * assertEquals(parseVfioLog(log), [{ address: 0x7f1234567000n, newEntry: 0x863n }]);
 * ```
 */
export function parseVfioLog(text: string): VfioLogRecord[] {
  return [...readVfioLog(text).records];
}

/**
 * Reads what a log says about the patch: the text of one, or the records that were read from a guest. A
 * record counts if it is the kernel's own and its text is the patch's from its first word to its last,
 * after the prefixes that `dmesg`, `journalctl`, syslog, `/dev/kmsg` and serial consoles are known to
 * print. Plain `dmesg` does not tell the kernel's records from programs' (only root can write those).
 *
 * @example Usage
 * ```ts
 * import { readVfioLog } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * const words = "VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x867";
 * const { records, fromPrograms } = readVfioLog(`6,339,5140900,-;${words}\n12,340,5140901,-;${words}`);
 * assertEquals([records.length, fromPrograms], [1, 1]); // 12 >> 3 is not 0: a program wrote it
 * ```
 */
export function readVfioLog(
  log:
    | string
    | readonly (
      & Pick<LogRecord, "sequence" | "facility" | "text">
      & Partial<Pick<LogRecord, "timeNs">>
    )[],
): VfioLogReading {
  const { lines, isBare } = typeof log === "string" ? textLines(log) : ringLines(log);
  // What was logged first may have been overwritten since, up to the middle of a pair.
  const isCut = typeof log !== "string" && log.length > 0 && log[0]!.sequence > 0n;
  const stories = new VfioStories(isCut);
  let fromPrograms = 0;
  for (const { line, isFromProgram, timeNs } of lines) {
    if (!line) continue;
    if (isFromProgram) fromPrograms++;
    else stories.add(line, timeNs);
  }
  return { records: stories.records(), fromPrograms, isBare };
}

interface SourcedLine {
  line: VfioLine | null;
  isFromProgram: boolean;
  timeNs?: bigint | undefined;
}

interface SourcedLines {
  readonly lines: readonly SourcedLine[];
  readonly isBare: boolean;
}

function ringLines(
  log: readonly (Pick<LogRecord, "facility" | "text"> & Partial<Pick<LogRecord, "timeNs">>)[],
): SourcedLines {
  const lines = log.map(({ facility, text, timeNs }) => ({
    line: parseVfioLine(text),
    timeNs,
    isFromProgram: facility !== 0,
  }));
  return { lines, isBare: false };
}

function textLines(text: string): SourcedLines {
  const lines = text.split("\n").map(parseLogLine);
  const parsed = lines.map(({ text }) => parseVfioLine(text));
  const hasPrefixes = lines.some(({ prefix }) => prefix !== "");
  const inner = insideOthers(lines, parsed);
  const sourced = parsed.map((line, i) => {
    const { origin, prefix } = lines[i]!;
    const problem = inner.has(i)
      ? "its timestamp is in the middle of another record's lines"
      : hasPrefixes && prefix === ""
      ? "it lacks the prefix of the other lines of this log"
      : null;
    const suspect = { verb: "unreadable", problem: `${problem}: a program may have written it` };
    return {
      line: line && problem !== null ? suspect as VfioLine : line,
      isFromProgram: origin === "program",
    };
  });
  return { lines: sourced, isBare: !hasPrefixes && parsed.some((line) => line !== null) };
}

/**
 * Consoles print the time before each line of a record, and names with newlines in them reach the log.
 * So a line of the patch amid other lines of the very same microsecond is taken for a part of theirs.
 */
function insideOthers(
  lines: readonly LogLine[],
  parsed: readonly (VfioLine | null)[],
): Set<number> {
  const inner = new Set<number>();
  for (let start = 0; start < lines.length;) {
    const { stamp, prefix } = lines[start]!;
    let end = start + 1;
    while (stamp !== "" && end < lines.length && lines[end]!.prefix === prefix) end++;
    const isAmid = end - start > 2 && !parsed[start] && !parsed[end - 1];
    for (let i = start; isAmid && i < end; i++) inner.add(i);
    start = end;
  }
  return inner;
}
