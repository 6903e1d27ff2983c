import { InvalidArgumentError } from "../../core/errors.ts";
import { parseLogLine } from "../log_line.ts";
import { OOPS_TABLES, type OopsEntry, type OopsKind, type OopsReport } from "./oops_report.ts";
import { accessOfCode, accessOfWords, type OopsAccess } from "./page_fault_error.ts";

/** What lines of a report tell, filled in line by line. */
type Found = {
  -readonly [K in keyof OopsReport]?: OopsReport[K];
};

/** A line of a report: how it looks, and what it tells. */
interface LineForm {
  /** Where it is printed, in Linux's source. */
  readonly from: string;
  readonly pattern: RegExp;
  tell(groups: Record<string, string>, found: Found, line: string): void;
}

const hex = (digits: string) => BigInt(`0x${digits.replace(/^0x/, "")}`);
/** A report's own address goes before one that a register tells. */
const told = (kind: OopsKind, found: Found, line: string) => {
  // What follows a report, such as the panic for it, is not another report.
  if (found.kind !== undefined && found.kind !== "registers") return;
  found.kind = kind;
  found.headline = line;
};

/** The forms, in the kernels from 4.4 to 6.18. */
const FORMS: readonly LineForm[] = [
  {
    from:
      "show_fault_oops(), arch/x86/mm/fault.c; before 5.1 `unable to handle kernel paging request at`",
    pattern:
      /^BUG: (?:unable to handle (?:page fault for address: |kernel (?:paging request|NULL pointer dereference) at )|kernel NULL pointer dereference, address: )(?:virtual address )?(?<at>[0-9a-f]{8,16})$/,
    tell({ at }, found, line) {
      told("pageFault", found, line);
      found.address ??= hex(at!);
    },
  },
  {
    from: "show_fault_oops()",
    pattern: /^#PF: (?<who>supervisor|user) (?<kind>read access|write access|instruction fetch) in/,
    tell: ({ who, kind }, found) => {
      found.access ??= accessOfWords(kind!, who === "user");
    },
  },
  {
    from: "show_fault_oops()",
    pattern: /^#PF: error_code\(0x(?<code>[0-9a-f]{1,8})\)/,
    tell: ({ code }, found) => {
      found.access = accessOfCode(hex(code!));
    },
  },
  {
    from: "dump_pagetable(), arch/x86/mm/fault.c",
    pattern: /^(?:\*pdpt = .*|PGD (?:[0-9a-f]{1,16}|BAD)\b.*)$/,
    tell: (_, found, line) => {
      found.entries = entriesIn(line);
    },
  },
  {
    from: "__die_header(), arch/x86/kernel/dumpstack.c",
    pattern: /^Oops: (?:Oops: )?(?<code>[0-9a-f]{4}) \[#\d+\]/,
    tell({ code }, found) {
      if (found.kind === "pageFault" && !found.access?.errorCode) {
        found.access = accessOfCode(hex(code!));
      }
    },
  },
  {
    from: "exc_general_protection(), arch/x86/kernel/traps.c",
    pattern:
      /^(?:Oops: )?general protection fault(?:, (?:probably for non-canonical address|maybe for address) 0x(?<at>[0-9a-f]{1,16}))?(?:: [0-9a-f]{4})? ?(?:\[#\d+\].*)?$/,
    tell({ at }, found, line) {
      told("generalProtection", found, line);
      if (at !== undefined) found.address ??= hex(at);
    },
  },
  {
    from: "show_signal_msg(), arch/x86/mm/fault.c",
    pattern:
      /^(?<comm>.{1,64}?)\[(?<pid>\d{1,10})\]: segfault at (?<at>[0-9a-f]{1,16}) ip (?<ip>\S{1,20}) sp \S{1,20} error (?<code>[0-9a-f]{1,8})(?: in (?<in>\S{1,256}))?/,
    tell({ comm, pid, at, ip, code, in: where }, found, line) {
      told("segfault", found, line);
      found.address ??= hex(at!);
      found.access = accessOfCode(hex(code!));
      found.at ??= where === undefined ? `0x${ip!}` : `0x${ip!} in ${where}`;
      found.pid ??= Number(pid);
      found.comm ??= comm!;
    },
  },
  {
    from: "do_trap(), arch/x86/kernel/traps.c",
    pattern:
      /^(?:traps: )?(?<comm>.{1,64}?)\[(?<pid>\d{1,10})\](?: trap)? general protection(?: fault)? ip:(?<ip>[0-9a-f]{1,16}) sp:\S{1,20} error:/,
    tell({ comm, pid, ip }, found, line) {
      told("generalProtection", found, line);
      found.access ??= null;
      found.at ??= `0x${ip}`;
      found.pid ??= Number(pid);
      found.comm ??= comm!;
    },
  },
  {
    from: "print_error_description(), mm/kasan/report.c",
    pattern: /^BUG: KASAN: (?<what>[\w-]{1,64}) in (?<at>\S{1,256}(?: \[\w{1,64}\])?)/,
    tell({ at }, found, line) {
      told("kasan", found, line);
      found.at ??= at!;
    },
  },
  {
    from: "print_error_description(), mm/kasan/report.c",
    pattern:
      /^(?<kind>Read|Write|Free) of (?:size (?<size>\d{1,10}) )?(?:at )?addr (?<at>[0-9a-f]{8,16}) by task (?<comm>.{1,64})\/(?<pid>\d{1,10})$/,
    tell({ kind, size, at, comm, pid }, found) {
      if (found.kind !== "kasan") return;
      found.address ??= hex(at!);
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
      told("kasan", found, line);
      found.address ??= hex(at!);
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
  {
    from: "show_ip(), arch/x86/kernel/dumpstack.c; IP: before 4.14",
    pattern: /^R?IP: (?:[0-9a-f]{4}:)?(?<at>\S{1,256}(?: \[\w{1,64}\])?)$/,
    tell({ at }, found) {
      found.at ??= at!;
    },
  },
  {
    from: "__show_regs(), arch/x86/kernel/process_64.c",
    pattern:
      /\b(?:CR[0234]|RSP|EFLAGS|R[A-D]X|RSI|RDI|RBP|R(?:0[89]|1[0-5])): ?(?:[0-9a-f]{4}:)?[0-9a-f]{8,16}\b/,
    tell(_, found, line) {
      found.kind ??= "registers";
      found.headline ??= line;
      const registers = { ...found.registers };
      // Of two dumps, such as the kernel's and then the program's, the first belongs to the fault.
      for (const [, name, digits] of line.matchAll(REGISTER)) registers[name!] ??= hex(digits!);
      found.registers = registers;
    },
  },
];

const REGISTER =
  /\b(CR[0234]|RSP|EFLAGS|R[A-D]X|RSI|RDI|RBP|R(?:0[89]|1[0-5])): ?(?:[0-9a-f]{4}:)?([0-9a-f]{8,16})\b/g;

function entriesIn(line: string): OopsEntry[] {
  return OOPS_TABLES.flatMap((table): OopsEntry[] => {
    const text = new RegExp(`\\b${table} ([0-9a-f]{1,16}|BAD)\\b`).exec(line)?.[1];
    return text === undefined ? [] : [{ table, raw: text === "BAD" ? null : hex(text) }];
  });
}

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
 * import { parseOops } from "@pagewalk/pagewalk";
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
  const found: Found = {};
  for (const line of text.split("\n", MAX_LINES)) {
    const bare = parseLogLine(line).text.trim();
    // After the end of the first report, or at the beginning of the next.
    if (/^---\[ end trace/.test(bare) && found.kind !== undefined) break;
    for (const { pattern, tell } of FORMS) {
      const groups = pattern.exec(bare);
      if (groups) tell(groups.groups ?? {}, found, bare);
    }
  }
  if (found.kind === undefined) {
    throw new InvalidArgumentError(
      "No report of a fault: lines such as `BUG: unable to handle page fault for address: …`, " +
        "`general protection fault`, `segfault at`, `BUG: KASAN` or `CR2: … CR3: …` are looked for",
      text.slice(0, 200),
    );
  }
  const { registers = {}, access = null } = found;
  return {
    kind: found.kind,
    headline: found.headline!,
    address: found.address ?? (found.kind === "generalProtection" ? null : registers.CR2 ?? null),
    access: access satisfies OopsAccess | null,
    ...found.lengthBytes === undefined ? {} : { lengthBytes: found.lengthBytes },
    entries: found.entries ?? [],
    registers,
    at: found.at ?? null,
    pid: found.pid ?? null,
    comm: found.comm ?? null,
  };
}
