import {
  accessOfWords,
  type OopsFound,
  type OopsLineForm,
  oopsNumber,
  type OopsReader,
  tellKind,
} from "../../arch/oops_reader.ts";
import { OOPS_READERS } from "../../arch/oops_readers.ts";
import type { OopsKind, OopsReport } from "../../arch/oops_report.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import { parseLogLine } from "../log_line.ts";

/** The lines that are the same on every architecture, in the kernels from 4.4 to 6.18. */
const FORMS: readonly OopsLineForm[] = [
  {
    from: "print_error_description(), mm/kasan/report.c",
    pattern: /^BUG: KASAN: (?<what>[\w-]{1,64}) in (?<at>\S{1,256}(?: \[\w{1,64}\])?)/,
    tell({ at }, found, line) {
      tellKind("kasan", found, line);
      found.at ??= at!;
    },
  },
  {
    from: "print_error_description(), mm/kasan/report.c",
    pattern:
      /^(?<kind>Read|Write|Free) of (?:size (?<size>\d{1,10}) )?(?:at )?addr (?<at>[0-9a-f]{8,16}) by task (?<comm>.{1,64})\/(?<pid>\d{1,10})$/,
    tell({ kind, size, at, comm, pid }, found) {
      if (found.kind !== "kasan") return;
      found.address ??= oopsNumber(at!);
      found.access ??= accessOfWords(kind!);
      if (size !== undefined) found.lengthBytes ??= Number(size);
      found.pid ??= Number(pid);
      found.comm ??= comm!;
    },
  },
  {
    from: "kasan_non_canonical_hook(), mm/kasan/report.c",
    pattern: /^KASAN: [\w-]{1,64} in range \[0x(?<at>[0-9a-f]{16})-0x[0-9a-f]{16}\]$/,
    tell({ at }, found, line) {
      tellKind("kasan", found, line);
      found.address ??= oopsNumber(at!);
    },
  },
  {
    from: "dump_stack_print_info(), lib/dump_stack.c",
    pattern:
      /^CPU: \d{1,5} (?:UID: \d{1,10} )?PID: (?<pid>\d{1,10}) Comm: (?<comm>.{1,16}?) (?:Not tainted|Tainted|Kdump|\d)/,
    tell({ pid, comm }, found) {
      found.pid ??= Number(pid);
      found.comm ??= comm!;
    },
  },
];

/** So many lines of its own has every report whose registers were printed. */
const OWN_LINES = 3;

/** No report is longer: more would be a whole log, of which the first report counts. */
const MAX_LINES = 10_000;

/**
 * Reads Linux's report of a fault as it stands in a log: a page fault of the kernel's, a general
 * protection fault, a program's segfault, what KASAN found, or only registers. Of several, the first
 * counts. What `dmesg`, journals and consoles put before the lines is left away.
 *
 * @throws {InvalidArgumentError} if there is no such report in the text
 *
 * @example Usage
 * ```ts
 * import { parseOops } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * const report = parseOops(`
 * [   12.3] BUG: unable to handle page fault for address: ffffc90000a5d000
 * [   12.3] #PF: supervisor write access in kernel mode
 * [   12.3] #PF: error_code(0x0002) - not-present page
 * [   12.3] PGD 100000067 P4D 100000067 PUD 1001d8067 PMD 105c0e067 PTE 0
 * `);
 * assertEquals(report.address, 0xffffc90000a5d000n);
 * assertEquals(report.access?.write, true);
 * assertEquals(report.entries.at(-1), { table: "PTE", raw: 0n });
 * ```
 */
export function parseOops(text: string): OopsReport {
  return readOops(text).report;
}

/** The same, with who read it. */
export function readOops(text: string): { report: OopsReport; reader: OopsReader } {
  const read = OOPS_READERS.map((reader) => ({ reader, ...readLines(text, reader) }));
  // Some lines are alike on several architectures: whose most are.
  const best = read.filter(({ found }) => found.kind !== undefined)
    .reduce<typeof read[number] | null>(
      (a, b) => a === null || b.ownLines > a.ownLines ? b : a,
      null,
    );
  if (best) {
    const { reader, found } = best;
    return { report: reportOf(found, found.kind!, reader), reader };
  }
  const lookedFor = OOPS_READERS.map((reader) => reader.lookedFor).join(", ");
  throw new InvalidArgumentError(
    `No report of a fault: lines such as ${lookedFor} are looked for`,
    text.slice(0, 200),
  );
}

/** What the lines of a text tell, and how many of them are of forms that only this reader has. */
function readLines(
  text: string,
  reader: OopsReader,
): { readonly found: OopsFound; readonly ownLines: number } {
  const found: OopsFound = {};
  let ownLines = 0;
  let isForeign = false;
  for (const line of text.split("\n", MAX_LINES)) {
    const bare = parseLogLine(line).text.trim();
    // After the end of the first report, or at the beginning of the next.
    if (/^---\[ end trace/.test(bare) && found.kind !== undefined) break;
    isForeign ||= reader.foreign?.test(bare) === true;
    for (const [index, { pattern, tell }] of [...reader.forms, ...FORMS].entries()) {
      const groups = pattern.exec(bare);
      if (!groups) continue;
      tell(groups.groups ?? {}, found, bare);
      if (index < reader.forms.length) ownLines++;
    }
  }
  // A line that some program logged does not make another architecture's of a whole report.
  return isForeign && ownLines < OWN_LINES ? { found: {}, ownLines: 0 } : { found, ownLines };
}

function reportOf(found: OopsFound, kind: OopsKind, reader: OopsReader): OopsReport {
  const { registers = {}, access = null } = found;
  return {
    kind,
    headline: found.headline!,
    address: found.address ??
      (kind === "generalProtection" ? null : reader.addressIn(registers) ?? null),
    access,
    ...found.lengthBytes === undefined ? {} : { lengthBytes: found.lengthBytes },
    entries: found.entries ?? [],
    registers,
    at: found.at ?? null,
    pid: found.pid ?? null,
    comm: found.comm ?? null,
  };
}
