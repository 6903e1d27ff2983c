import { InvalidArgumentError, PagewalkError } from "../core/errors.ts";
import type { Regime } from "../translate/regime.ts";
import type { GuestAccessVerdict } from "../arch/access_rule.ts";
import { compareOopsEntries, type OopsEntryChange } from "../linux/oops/compare_entries.ts";
import type { OopsReader } from "../arch/oops_reader.ts";
import type { OopsReport } from "../arch/oops_report.ts";
import { readOops } from "../linux/oops/parse_oops.ts";
import { type GuestWalk, type GuestWalkOptions, splitWalkOptions } from "./guest_walk.ts";
import { readOptionsOf } from "./guest_session.ts";
import type { Session } from "./session.ts";
import type { TableChoice } from "./table_choice.ts";

/** A fault report, compared with the current page tables. */
export interface OopsExplanation {
  /** What Linux printed. */
  readonly report: OopsReport;
  /** Why the access faulted, by what was printed then. */
  readonly reason: string;
  /** The walk to the address as the tables are now; null if the report tells no address. */
  readonly walk: GuestWalk | null;
  /** The printed entries, each with the current one. */
  readonly entries: readonly OopsEntryChange[];
  /** What the same access would do now; null if the report gives no access or no address. */
  readonly now: GuestAccessVerdict | null;
  /** Why these tables may be others than those of the fault; null if they are what was printed. */
  readonly doubt: string | null;
}

/**
 * Explains Linux's report of a fault: walks the address in the tables that the report names (its CR3 or
 * `pgdp`, or the process's of a segfault) as they are now, compares the entries with the printed ones, and
 * says why the access faulted and what the same access would do now.
 *
 * @param text the report as it stands in a log
 * @param options whose tables to walk, if not those that the report names
 * @throws {InvalidArgumentError} if the text has no report, or one of another architecture
 * @throws {MonitorError} if the guest cannot be asked
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { explainOops } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = await connect("sim:");
 * const found = await explainOops(
 *   session,
 *   `[   12.3] BUG: unable to handle page fault for address: 00007f1234567000
 * [   12.3] #PF: error_code(0x0004) - not-present page
 * [   12.3] PGD 5107007 P4D 5107007 PUD 5108007 PMD 5109007 PTE 0`,
 * );
 * assertEquals(found.reason, "PTE was empty");
 * assertEquals(found.entries.at(-1)?.change, "appeared");
 * ```
 */
export async function explainOops(
  session: Session,
  text: string,
  options: GuestWalkOptions = {},
): Promise<OopsExplanation> {
  const { report, reader } = readOops(text);
  const reason = reader.reason(report);
  const { address, access } = report;
  if (address === null) {
    const doubt = "the report has no address, so nothing was walked";
    return { report, reason, walk: null, entries: [], now: null, doubt };
  }
  const [chosen, others] = splitWalkOptions(options);
  const { choice, doubt } = await tablesOf(session, report, reader, chosen);
  // Looked up once: what runs on a vCPU changes, and a process takes a while to find.
  const table = await session.pageTable<Regime>(choice, address, readOptionsOf(others));
  checkArchitecture(table.context, reader);
  const walked = { ...others, table };
  const walk = await session.walk(address, walked);
  const now = access && report.kind !== "kasan"
    ? await session.access(address, reader.accessOf(access, report.registers), walked)
    : null;
  return { report, reason, walk, entries: compareOopsEntries(report.entries, walk), now, doubt };
}

/** Another machine's report says nothing of this one's tables. */
function checkArchitecture({ rules }: Regime, reader: OopsReader): void {
  if (rules.architecture === reader.architecture) return;
  throw new InvalidArgumentError(
    `The report's architecture is ${reader.architecture}, and this guest's is ${rules.architecture}`,
    reader.architecture,
  );
}

/** The tables of the fault, as far as they can be found, and what makes one doubt it. */
async function tablesOf(
  session: Session,
  { registers, pid, comm }: OopsReport,
  reader: OopsReader,
  chosen: TableChoice,
): Promise<{ choice: TableChoice; doubt: string | null }> {
  if (Object.keys(chosen).length > 0) return { choice: chosen, doubt: null };
  const who = pid === null ? "the process" : `${comm ?? "process"} (pid ${pid})`;
  const root = reader.rootIn(registers);
  if (root !== undefined) {
    return { choice: { root }, doubt: await reuseOf(session, root, reader.rootName, pid, who) };
  }
  if (pid === null) {
    return {
      choice: {},
      doubt: "the report names no tables: the current vCPU's tables were walked",
    };
  }
  try {
    return { choice: { table: await session.pageTable({ pid }) }, doubt: null };
  } catch (error) {
    if (!(error instanceof PagewalkError)) throw error;
    return {
      choice: {},
      doubt: `the tables of ${who} were not found (${error.message}): ` +
        "the current vCPU's tables were walked",
    };
  }
}

/** A process that has ended leaves its tables to whoever comes next. */
async function reuseOf(
  session: Session,
  root: bigint,
  rootName: string,
  pid: number | null,
  who: string,
): Promise<string | null> {
  const unsure = `these are the tables at ${rootName} of ${who}, if that process still owns them`;
  try {
    const processes = await (await session.linux()).processes();
    const owner = processes.find((process) => process.root === root || process.userRoot === root);
    if (owner?.pid === pid && pid !== null) return null;
    if (owner) {
      return `the tables at this ${rootName} belong to ${owner.comm} (pid ${owner.pid}) now; at the time of the report to ${who}`;
    }
    return `no process has this ${rootName} any more: ${who} has exited, and its tables may have been reused`;
  } catch (error) {
    if (error instanceof PagewalkError) return unsure;
    throw error;
  }
}
