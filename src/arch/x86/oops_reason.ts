import { isCanonical } from "../../core/canonical.ts";
import type { OopsEntry, OopsReport } from "../oops_report.ts";

const PRESENT = 1n;
const WRITABLE = 1n << 1n;
const USER = 1n << 2n;
const NO_EXECUTE = 1n << 63n;

/** Says why an access faulted, by what was printed of it then. */
export function x86OopsReason(report: OopsReport): string {
  const { kind, address, access, entries } = report;
  if (address !== null && !isCanonical(address, 57)) {
    return "the address is not canonical: bits 63 to 47 (with 5-level paging 63 to 56) must be equal";
  }
  if (kind === "kasan" && !access?.errorCode) {
    return "KASAN's shadow memory forbids it; the page tables may allow it";
  }
  if (kind === "generalProtection") {
    return address !== null && !isCanonical(address, 48)
      ? "the address is not canonical with 4-level paging: bits 63 to 47 must be equal"
      : "no page-table cause: for a general protection fault Linux prints the address only if it can decode it";
  }
  if (!access) return "the report does not say which access";
  if (access.isReserved) return "an entry had reserved bits set";
  if (access.isProtectionKey) return "the page's protection key forbade it";
  const last = entries.at(-1);
  const unreadable = entries.find(({ raw }) => raw === null);
  if (unreadable) {
    return `${unreadable.table} could not be read by the kernel: the tables were broken`;
  }
  if (access.isProtection === false || last && !(last.raw! & PRESENT)) {
    return last && !(last.raw! & PRESENT)
      ? `${last.table} was ${last.raw === 0n ? "empty" : "not present"}`
      : "no page was there";
  }
  return protection(report, entries) ??
    (access.isProtection
      ? "the pages allowed less than that (the entries were not printed)"
      : "no page was there, or it allowed less than that (the error code was not printed)");
}

/** The first entry that forbids an access to a page that is there. */
function protection({ access }: OopsReport, all: readonly OopsEntry[]): string | undefined {
  // On 4 levels P4D repeats PGD.
  const entries = all.filter(({ table, raw }) => table !== "P4D" || raw !== all[0]?.raw);
  if (!access || entries.length === 0) return;
  const first = (test: (raw: bigint) => boolean) => entries.find(({ raw }) => test(raw!))?.table;
  if (access.fetch) {
    const table = first((raw) => (raw & NO_EXECUTE) !== 0n);
    if (table) return `${table} forbids execution (_PAGE_NX)`;
  }
  if (access.user) {
    const table = first((raw) => !(raw & USER));
    if (table) return `_PAGE_USER is cleared in ${table}`;
  }
  if (access.write) {
    const table = first((raw) => !(raw & WRITABLE));
    if (table) return `${table} is not writable (_PAGE_RW is cleared)`;
  }
  if (!access.user && !first((raw) => !(raw & USER))) {
    return access.fetch
      ? "SMEP: the supervisor may not execute a user page"
      : "SMAP: the supervisor may not touch a user page while RFLAGS.AC is clear";
  }
  return "the printed entries allow the access: they changed in between, or a stale TLB entry denied it";
}
