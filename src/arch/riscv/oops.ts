import {
  type OopsLineForm,
  oopsNumber,
  type OopsReader,
  tellKind,
  tellRegisters,
} from "../oops_reader.ts";
import { OOPS_TABLES, type OopsAccess, type OopsEntry, type OopsReport } from "../oops_report.ts";
import type { RiscvAccess } from "./access.ts";
import { riscvOopsReason } from "./oops_reason.ts";
import { STATUS } from "./registers.ts";

/** `cause` by the kind of access (4.1.8): page fault, access fault, misaligned address. */
const FETCHES = [12n, 1n, 0n];
const LOADS = [13n, 5n, 4n];
const STORES = [15n, 7n, 6n];

/** The lines in the kernels from 5.4 to 6.18. */
const FORMS: readonly OopsLineForm[] = [
  {
    from: "die_kernel_fault(), arch/riscv/mm/fault.c",
    pattern:
      /^Unable to handle kernel (?:NULL pointer dereference|paging request|access to user memory without uaccess routines) at virtual address (?<at>[0-9a-f]{8,16})$/,
    tell({ at }, found, line) {
      tellKind("pageFault", found, line);
      found.address ??= oopsNumber(at!);
    },
  },
  {
    from: "show_pte(), arch/riscv/mm/fault.c, since 6.15",
    pattern:
      /^Current (?<comm>.{1,16}) pgtable: \d{1,3}K pagesize, (?<bits>\d\d)-bit VAs, pgdp=0x(?<root>[0-9a-f]{1,16})$/,
    tell({ comm, bits, root }, found) {
      found.comm ??= comm!;
      found.registers = { VA_BITS: BigInt(bits!), pgdp: oopsNumber(root!), ...found.registers };
    },
  },
  {
    from: "show_pte()",
    pattern:
      /^\[[0-9a-f]{8,16}\] (?<all>pgd=[0-9a-f]{8,16}(?:, (?:p4d|pud|pmd|pte)=[0-9a-f]{8,16})*)$/,
    tell({ all }, found) {
      found.entries ??= entriesIn(all!);
    },
  },
  {
    from: "do_trap(), arch/riscv/kernel/traps.c",
    pattern:
      /^(?<comm>.{1,64}?)\[(?<pid>\d{1,10})\]: unhandled signal (?:11|7) code 0x[0-9a-f]{1,8} at 0x(?<at>[0-9a-f]{8,16})(?: in \S{1,256})?$/,
    tell({ comm, pid, at }, found, line) {
      tellKind("segfault", found, line);
      found.address ??= oopsNumber(at!);
      found.pid ??= Number(pid);
      found.comm ??= comm!;
    },
  },
  {
    from: "die(), arch/riscv/kernel/traps.c; with words where it is not a page fault",
    pattern: /^Oops(?: - [\w ]{1,64})? \[#\d+\]$/,
    tell(_, found, line) {
      found.kind ??= "registers";
      found.headline ??= line;
    },
  },
  {
    from: "__show_regs(), arch/riscv/kernel/process.c; since 5.11",
    pattern: /^epc : (?<at>[^\s:]{1,256}(?: \[\w{1,64}\])?)$/,
    tell({ at }, found) {
      found.at ??= at!;
    },
  },
  {
    from: "__show_regs()",
    pattern: /^(?:epc|gp|t[0-6]|s\d{1,2}|a[0-7]|status) ?: ?[0-9a-f]{8,16}\b/,
    tell(_, found, line) {
      tellRegisters(REGISTER, found, line);
      const { registers = {} } = found;
      if (registers.epc !== undefined) found.at ??= `0x${registers.epc.toString(16)}`;
      found.access ??= accessIn(registers);
    },
  },
];

const REGISTER =
  /\b(epc|ra|sp|gp|tp|ssp|t[0-6]|s\d{1,2}|a[0-7]|status|badaddr|cause) ?: ?([0-9a-f]{8,16})\b/g;

function entriesIn(all: string): OopsEntry[] {
  return OOPS_TABLES.flatMap((table): OopsEntry[] => {
    const digits = new RegExp(`\\b${table.toLowerCase()}=([0-9a-f]+)`).exec(all)?.[1];
    return digits === undefined ? [] : [{ table, raw: oopsNumber(digits) }];
  });
}

/** The access by the trap's cause; null if it is not caused by one. */
function accessIn({ cause, status }: OopsReport["registers"]): OopsAccess | null {
  if (cause === undefined || status === undefined) return null;
  const [write, fetch] = [STORES.includes(cause), FETCHES.includes(cause)];
  if (!write && !fetch && !LOADS.includes(cause)) return null;
  return {
    ...{ errorCode: cause, codeName: "cause", write, fetch },
    user: (status & STATUS.SPP) === 0n,
    ...{ isProtection: null, isReserved: false, isProtectionKey: false },
  };
}

/** How Linux reports faults on RISC-V. */
export const RISCV_OOPS: OopsReader = {
  architecture: "riscv",
  forms: FORMS,
  // Reports of ARM and others begin like those of RISC-V.
  foreign: /^(?:Internal error: |Mem abort info:|pgd = |pc : |PC is at |tsk->\{mm,active_mm\})/,
  lookedFor:
    "`Unable to handle kernel paging request at virtual address …`, `unhandled signal 11` or " +
    "`status: … badaddr: … cause: …`",
  rootName: "pgdp",
  addressIn: (registers) => accessIn(registers) === null ? undefined : registers.badaddr,
  rootIn: ({ pgdp }) => pgdp,
  accessOf: ({ user, write, fetch }, { status }): RiscvAccess => ({
    privilege: user ? "U" : "S",
    ...{ write, fetch },
    ...status !== undefined && {
      sum: (status & STATUS.SUM) !== 0n,
      mxr: (status & STATUS.MXR) !== 0n,
    },
  }),
  reason: riscvOopsReason,
};
