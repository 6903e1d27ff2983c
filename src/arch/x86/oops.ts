import {
  accessOfWords,
  type OopsLineForm,
  oopsNumber,
  type OopsReader,
  tellKind,
  tellRegisters,
} from "../oops_reader.ts";
import { OOPS_TABLES, type OopsAccess, type OopsEntry } from "../oops_report.ts";
import type { Access } from "./access.ts";
import { accessOfCode } from "./oops_error.ts";
import { x86OopsReason } from "./oops_reason.ts";

/** The lines in the kernels from 4.4 to 6.18. */
const FORMS: readonly OopsLineForm[] = [
  {
    from:
      "show_fault_oops(), arch/x86/mm/fault.c; before 5.1 `unable to handle kernel paging request at`",
    pattern:
      /^BUG: (?:unable to handle (?:page fault for address: |kernel (?:paging request|NULL pointer dereference) at )|kernel NULL pointer dereference, address: )(?:virtual address )?(?<at>[0-9a-f]{8,16})$/,
    tell({ at }, found, line) {
      tellKind("pageFault", found, line);
      found.address ??= oopsNumber(at!);
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
      found.access = accessOfCode(oopsNumber(code!));
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
        found.access = accessOfCode(oopsNumber(code!));
      }
    },
  },
  {
    from: "exc_general_protection(), arch/x86/kernel/traps.c",
    pattern:
      /^(?:Oops: )?general protection fault(?:, (?:probably for non-canonical address|maybe for address) 0x(?<at>[0-9a-f]{1,16}))?(?:: [0-9a-f]{4})? ?(?:\[#\d+\].*)?$/,
    tell({ at }, found, line) {
      tellKind("generalProtection", found, line);
      if (at !== undefined) found.address ??= oopsNumber(at);
    },
  },
  {
    from: "show_signal_msg(), arch/x86/mm/fault.c",
    pattern:
      /^(?<comm>.{1,64}?)\[(?<pid>\d{1,10})\]: segfault at (?<at>[0-9a-f]{1,16}) ip (?<ip>\S{1,20}) sp \S{1,20} error (?<code>[0-9a-f]{1,8})(?: in (?<in>\S{1,256}))?/,
    tell({ comm, pid, at, ip, code, in: where }, found, line) {
      tellKind("segfault", found, line);
      found.address ??= oopsNumber(at!);
      found.access = accessOfCode(oopsNumber(code!));
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
      tellKind("generalProtection", found, line);
      found.access ??= null;
      found.at ??= `0x${ip}`;
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
      tellRegisters(REGISTER, found, line);
    },
  },
];

const REGISTER =
  /\b(CR[0234]|RSP|EFLAGS|R[A-D]X|RSI|RDI|RBP|R(?:0[89]|1[0-5])): ?(?:[0-9a-f]{4}:)?([0-9a-f]{8,16})\b/g;

function entriesIn(line: string): OopsEntry[] {
  return OOPS_TABLES.flatMap((table): OopsEntry[] => {
    const text = new RegExp(`\\b${table} ([0-9a-f]{1,16}|BAD)\\b`).exec(line)?.[1];
    return text === undefined ? [] : [{ table, raw: text === "BAD" ? null : oopsNumber(text) }];
  });
}

/** Bits 11 to 0 of CR3 are not part of the root: PCID and cache bits. Bit 63 is not kept either. */
const ROOT_BITS = 0x7fff_ffff_ffff_f000n;

/** How Linux reports faults on x86. */
export const X86_OOPS: OopsReader = {
  architecture: "x86",
  forms: FORMS,
  lookedFor: "`BUG: unable to handle page fault for address: …`, `general protection fault`, " +
    "`segfault at`, `BUG: KASAN` or `CR2: … CR3: …`",
  rootName: "CR3",
  addressIn: ({ CR2 }) => CR2,
  rootIn: ({ CR3 }) => CR3 === undefined ? undefined : CR3 & ROOT_BITS,
  accessOf: ({ user, write, fetch }: OopsAccess): Access => ({
    cpl: user ? 3 : 0,
    write: write && !fetch,
    fetch,
  }),
  reason: x86OopsReason,
};
