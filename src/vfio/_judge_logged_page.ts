import { given } from "../core/options.ts";
import { formatAddress } from "../core/address.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import type { VfioLogEntry, VfioLogRecord } from "../linux/vfio_log_record.ts";
import type { LoggedPage, OwnedPage } from "../linux/vfio_pages.ts";
import type { Walk } from "../translate/walk.ts";
import { judgeLogged } from "../verify/logged_entry.ts";
import type { VerdictKind } from "../verify/verdict.ts";
import type { LoggedPageJudgement } from "./judgement.ts";

type Page = OwnedPage<LinuxProcess>;

/** Judges a record in the one process that was asked for, whatever other processes have there. */
export function judgeInProcess(
  record: VfioLogRecord,
  process: LinuxProcess,
  walk: Walk | null,
): LoggedPageJudgement {
  if (walk === null || record.problem !== undefined) return unjudged(record, record.problem!);
  const { verdict, reason } = judgeLogged(walk, record);
  return { kind: "logged", record, process, walk, verdict, reason };
}

/**
 * Judges a record in the process that it is about. The log does not name that: it is the one whose
 * entry has the logged frame. Pinned memory keeps its frames, so where no process has it there, none is
 * certain to be meant.
 *
 * An earlier clearing of the address with another frame may be about another process. It is done with
 * only if every process that maps the address is one that the later clearing is about; else it is
 * judged too, and counts as the worse of both.
 */
export function judgeAmongProcesses(
  { record, candidates }: LoggedPage<LinuxProcess>,
): LoggedPageJudgement {
  if (record.problem !== undefined) return unjudged(record, record.problem);
  const judged: LoggedPageJudgement[] = [];
  let others = candidates.filter(({ walk }) =>
    walk.outcome !== "notPresent" && walk.outcome !== "nonCanonical"
  );
  if (others.length === 0) return unjudged(record, "no process maps it: has it exited?");
  const late = others.filter(({ process }) => startedAfter(process, record));
  others = others.filter((page) => !late.includes(page));
  if (others.length === 0) {
    return unjudged(
      record,
      `${names(late)} maps it, started after that: has the one meant exited?`,
    );
  }
  for (const entry of [record, ...(record.earlier ?? []).toReversed()]) {
    const holders = others.filter(({ walk }) => hasFrame(walk, entry));
    if (holders.length > 0) judged.push(judgeHolders(record, entry, holders));
    // Whatever earlier records are about, no other process is left for it.
    others = others.filter((page) => !holders.includes(page));
    if (others.length === 0) break;
    if (holders.length === 0) judged.push(unjudged(record, notFound(entry, others)));
  }
  return worst(judged);
}

/** The clock of the log and that of the processes' starts begin a little apart, and drift (NTP: 500 ppm). */
const CLOCKS_APART_NS = 1_000_000_000n;
const DRIFT = 1000n;

/** One that did not live yet when the record was written is not meant, though it may have got the frame. */
function startedAfter({ startNs }: LinuxProcess, { timeNs }: VfioLogRecord): boolean {
  if (startNs === null || timeNs === undefined) return false;
  return startNs > timeNs + CLOCKS_APART_NS + startNs / DRIFT;
}

/** Several processes may share the frame, a child its parent's: then all of them must agree. */
function judgeHolders(
  record: VfioLogRecord,
  entry: VfioLogEntry,
  holders: readonly Page[],
): LoggedPageJudgement {
  const judged = holders.map(({ process, walk }): LoggedPageJudgement => {
    const { verdict, reason } = judgeLogged(walk, { address: record.address, ...entryOf(entry) });
    return { kind: "logged", record, process, walk, verdict, reason };
  });
  const kinds = new Set(judged.map(({ verdict }) => verdict));
  if (kinds.size === 1) return judged[0]!;
  const each = judged.map(({ process, verdict }) => `${nameOf(process!)}: ${verdict}`).join(", ");
  return unjudged(
    record,
    `owner is ambiguous, several processes share its frame and differ: ${each}`,
  );
}

function entryOf({ oldEntry, newEntry }: VfioLogEntry): VfioLogEntry {
  return {
    ...given({ oldEntry, newEntry }),
  };
}

const ADDRESS_BITS = 0x000f_ffff_ffff_f000n;

/** Is the page that was found the one that the log says was cleared? */
function hasFrame(walk: Walk, { oldEntry, newEntry }: VfioLogEntry): boolean {
  if (walk.outcome !== "mapped") return false;
  const offset = BigInt(walk.pageSizeBytes) - 1n;
  const frame = (newEntry ?? oldEntry!) & ADDRESS_BITS & ~offset;
  return (walk.physicalAddress & ~offset) === frame;
}

function notFound(entry: VfioLogEntry, others: readonly Page[]): string {
  const logged = formatAddress((entry.newEntry ?? entry.oldEntry!) & ADDRESS_BITS);
  const unknown = others.some(({ walk }) => walk.outcome !== "mapped");
  return `no process has the logged frame ${logged} there; ${names(others)} may be the owner` +
    (unknown ? ", whose tables cannot all be read" : "");
}

const MAX_NAMED = 5;

function names(pages: readonly Page[]): string {
  const first = pages.slice(0, MAX_NAMED).map(({ process }) => nameOf(process)).join(", ");
  return pages.length > MAX_NAMED ? `${first} or ${pages.length - MAX_NAMED} more` : first;
}

function nameOf({ pid, comm }: LinuxProcess): string {
  return `pid ${pid} ${comm}`;
}

function unjudged(record: VfioLogRecord, reason: string): LoggedPageJudgement {
  return { kind: "logged", record, process: null, walk: null, verdict: "inconclusive", reason };
}

const GRAVITY: Record<VerdictKind, number> = { fail: 2, inconclusive: 1, pass: 0 };

function worst(judged: readonly LoggedPageJudgement[]): LoggedPageJudgement {
  return judged.reduce((a, b) => GRAVITY[b.verdict] > GRAVITY[a.verdict] ? b : a);
}
