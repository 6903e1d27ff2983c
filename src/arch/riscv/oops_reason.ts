import type { OopsAccess, OopsReport } from "../oops_report.ts";
import { STATUS } from "./registers.ts";

const V = 1n;
const R = 1n << 1n;
const W = 1n << 2n;
const X = 1n << 3n;
const U = 1n << 4n;
const A = 1n << 6n;
const D = 1n << 7n;

/** SEGV_MAPERR and SEGV_ACCERR (include/uapi/asm-generic/siginfo.h): what the kernel found in its areas. */
const SIGNALS: readonly (readonly [RegExp, string])[] = [
  [/ signal 11 code 0x1 /, "no memory area is there"],
  [/ signal 11 code 0x2 /, "the memory area there does not allow it"],
];

/** Traps other than page faults that have an address, by their cause (privileged architecture, 4.1.8). */
const OTHERS: Readonly<Record<string, string>> = {
  "0": "the instruction's address is misaligned: no page-table cause",
  "1": "nothing may be fetched from the physical address: no page-table cause",
  "4": "the load's address is misaligned: no page-table cause",
  "5": "the physical address may not be read, or nothing is there: no page-table cause",
  "6": "the store's address is misaligned: no page-table cause",
  "7": "the physical address may not be written, or nothing is there: no page-table cause",
};

/** Says why an access faulted, by what the report says of it. */
export function riscvOopsReason(report: OopsReport): string {
  const { kind, headline, address, access, registers } = report;
  if (kind === "kasan" && !access?.errorCode) {
    return "KASAN's shadow memory forbids it; the page tables may allow it";
  }
  const other = OTHERS[String(registers.cause)];
  if (other !== undefined) return other;
  const bits = Number(registers.VA_BITS ?? 57n);
  if (address !== null && !isAddress(address, bits)) {
    return `it is not a valid address: bits 63 to ${bits - 1} must be equal`;
  }
  if (headline.includes("without uaccess")) {
    return "the supervisor may not touch an address of user mode while SUM is clear";
  }
  const signal = SIGNALS.find(([pattern]) => pattern.test(headline));
  if (signal) return signal[1];
  if (!access) {
    return registers.cause === undefined
      ? "the report does not say which access"
      : `not a page fault: the trap's cause is ${registers.cause}`;
  }
  return byEntries(report, access);
}

/** An address of 32 bits is printed with 8 digits and has no bits above: each is one of Sv32. */
function isAddress(address: bigint, bits: number): boolean {
  if (bits <= 32) return true;
  const upper = address >> BigInt(bits - 1);
  return upper === 0n || upper === (1n << BigInt(65 - bits)) - 1n;
}

/** Only the leaf decides: the last entry that was printed. */
function byEntries({ entries, registers }: OopsReport, access: OopsAccess): string {
  const last = entries.at(-1);
  if (!last) {
    return "no page was there, or it allowed less than that (the entries were not printed)";
  }
  const { table } = last;
  const raw = last.raw!;
  if (!(raw & V)) return `${table} was ${raw === 0n ? "empty" : "not valid"}`;
  if ((raw & W) && !(raw & R)) return `${table} had W without R, which is reserved`;
  if (!(raw & (R | W | X))) return `${table} leads to no page`;
  const { status = 0n } = registers;
  if (access.user !== Boolean(raw & U)) {
    if (access.user) return `U is clear in ${table}: user mode may not touch the page`;
    if (access.fetch) return `U is set in ${table}: the supervisor never executes a user page`;
    if (!(status & STATUS.SUM)) {
      return `U is set in ${table}: the supervisor may not touch a user page while SUM is clear`;
    }
  }
  const isReadable = (raw & R) || (raw & X) && (status & STATUS.MXR);
  const [right, letter] = access.fetch
    ? [raw & X, "X"]
    : access.write
    ? [raw & W, "W"]
    : [isReadable, "R"];
  if (!right) return `${letter} is clear in ${table}`;
  const unset = !(raw & A) ? "A" : access.write && !(raw & D) ? "D" : undefined;
  if (unset) return `${unset} is clear in ${table}, and hardware did not set it`;
  return "the printed entries allow the access: they changed in between, or a stale TLB entry denied it";
}
