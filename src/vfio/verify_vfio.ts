import { BOOLEAN, checkOptions, given, type OptionShape, SIGNAL } from "../core/options.ts";
import type { WantedProcess } from "../linux/processes.ts";
import { CapabilityError, KernelFormatError } from "../linux/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { LogRecord } from "../linux/printk_ring.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import { readVfioLog } from "../linux/vfio_log.ts";
import type { VfioLogRecord } from "../linux/vfio_log_record.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import type { WalkManyOptions } from "../translate/walk_many.ts";
import { PageFaultError } from "../translate/address_space.ts";
import { type DmaDevices, verifyDma } from "./verify_dma.ts";
import { judgeAmongProcesses, judgeInProcess } from "./_judge_logged_page.ts";
import { deviceRanges, hiddenRanges, isStillThere, judgeRanges, pinnedRanges } from "./_pinned.ts";
import type {
  LoggedPageJudgement,
  VfioJudgement,
  VfioSource,
  VfioSourceState,
} from "./judgement.ts";

/** What {@linkcode verifyVfio} needs of a guest: a session has it. */
export interface VfioGuest {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The Linux that it runs. */
  linux(): Promise<LinuxGuest>;
  /** MAXPHYADDR of its vCPUs; null if nobody tells it. */
  physicalAddressBits(): Promise<number | null>;
  /** Its IOMMUs; without them, what devices reach is not looked at. */
  iommu?(): Promise<DmaDevices>;
}

/** What is looked at. */
export interface VerifyVfioOptions extends ReadOptions {
  /**
   * Where to learn what is to be cleared: the kernel's log, the list of what VFIO has pinned, and the
   * memory of devices that it gave to processes.
   *
   * @default {["log", "pinned"]}
   */
  sources?: readonly Exclude<VfioSource, "iommu">[];
  /**
   * Whether each page that VFIO has pinned must also be the same frame for the device, by the IOMMU's tables,
   * and for the process. With `true` nothing passes without; with `false` it is not looked at.
   *
   * @default where VFIO has pinned memory and the guest's IOMMU can be read, if `pinned` is a source
   */
  iommu?: boolean;
  /**
   * The one process to look at, by its pid, its name or other traits: every record of the log is judged in it.
   *
   * @default all; a record's process is the one that has the logged frame at its address
   */
  process?: WantedProcess;
}

/** The checks of {@linkcode VerifyVfioOptions}. */
const VERIFY_VFIO_SHAPE: OptionShape<VerifyVfioOptions> = {
  signal: SIGNAL,
  sources: (value) =>
    Array.isArray(value) && value.every((one) => SOURCES.includes(one))
      ? null
      : '"log", "pinned", "device", in a list',
  iommu: BOOLEAN,
  process: (value) =>
    Number.isInteger(value) || typeof value === "string" ||
      typeof value === "object" && value !== null
      ? null
      : "a pid, a name or what describes a process",
};

const SOURCES = ["log", "pinned", "device"] as const satisfies readonly VfioSource[];

/**
 * Checks that `_PAGE_USER` is cleared on what processes of a Linux guest map for VFIO: each page that
 * the kernel's log says was cleared, and each page that the VFIO driver has pinned. Yields what became
 * of each source, then a judgement for each of its records or ranges; `VfioTally` sums them up.
 *
 * @throws {LinuxNotFoundError} if the guest runs no Linux
 * @throws {NoSuchProcessError} if it has no such process, or that has no memory
 * @throws {AmbiguousProcessError} if several processes have that name
 * @throws {InconsistentListError} if the list of processes changes faster than it can be read
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError, VfioTally, verifyVfio } from "@pagewalk/pagewalk";
 * import { assertRejects } from "@std/assert";
 *
 * async function check(monitor: string) {
 *   await using guest = await connect(monitor);
 *   const tally = new VfioTally();
 *   for await (const judgement of verifyVfio(guest)) tally.add(judgement);
 *   return tally.verdict;
 * }
 *
 * await assertRejects(() => check("sim:"), LinuxNotFoundError); // it runs no kernel
 * ```
 */
export async function* verifyVfio(
  guest: VfioGuest,
  options: VerifyVfioOptions = {},
): AsyncGenerator<VfioJudgement, void> {
  checkOptions(options, "the options of the VFIO check", VERIFY_VFIO_SHAPE, {
    pid: "process",
    comm: "process",
    source: "sources",
  });
  const { sources = ["log", "pinned"], iommu, process: wanted, signal } = options;
  const reads = given({ signal });
  const linux = await guest.linux();
  const asked = wanted === undefined ? null : await linux.process(wanted, reads);
  if (asked) linux.contextOf(asked);
  const learnPhysicalBits = () => guest.physicalAddressBits();
  let holders: readonly LinuxProcess[] | null = null;
  /** The processes whose pages the log names. */
  const logged = new Map<number, LinuxProcess>();
  for (const source of SOURCES) {
    if (!sources.includes(source)) yield state(source, "unasked");
    else if (source === "log") {
      for await (const each of verifyLog(linux, asked, { ...reads, learnPhysicalBits })) {
        if (each.kind === "logged" && each.process) logged.set(each.process.pid, each.process);
        yield each;
      }
    } else {
      const found = yield* verifyRanges(guest, linux, source, asked, reads);
      if (source !== "pinned") continue;
      holders = found;
      const holding = new Set(found?.map(({ pid }) => pid));
      for (const process of found === null ? [] : logged.values()) {
        if (!holding.has(process.pid)) yield* await hiddenRanges(linux, process, reads);
      }
    }
  }
  const isRequired = iommu === true;
  const isWanted = isRequired || iommu === undefined && guest.iommu && holders?.length;
  if (!isWanted) return yield state("iommu", "unasked");
  const processes = holders ?? (asked ? [asked] : await linux.processes(reads));
  yield* verifyDma(guest, linux, processes, { ...reads, isRequired });
}

function state(source: VfioSource, state: VfioSourceState["state"], reason = ""): VfioSourceState {
  return { kind: "source", source, state, reason };
}

async function* verifyLog(
  linux: LinuxGuest,
  asked: LinuxProcess | null,
  options: WalkManyOptions,
): AsyncGenerator<VfioJudgement, void> {
  const { learnPhysicalBits: _, ...reads } = options;
  const unread: string[] = [];
  let log: LogRecord[];
  try {
    log = await linux.dmesg({ ...reads, onPartial: (reason) => unread.push(reason) });
  } catch (error) {
    if (error instanceof CapabilityError) return yield state("log", "unavailable", error.message);
    const isDamaged = error instanceof KernelFormatError || error instanceof MemoryReadError ||
      error instanceof PageFaultError;
    if (!isDamaged) throw error;
    yield state("log", "read");
    return yield { kind: "unread", source: "log", verdict: "inconclusive", reason: error.message };
  }
  const { fromPrograms, records } = readVfioLog(log);
  yield state("log", "read", notesOn(log, fromPrograms));
  const missing = missingIn(log);
  if (missing > 0) {
    unread.push(`${missing} records in the middle of the log were being written: try again`);
  }
  for (const reason of unread) {
    yield { kind: "unread", source: "log", verdict: "inconclusive", reason };
  }
  yield* judgeRecords(linux, records, asked, options);
}

/** What should be known of a log that was read, though it makes no verdict another. */
function notesOn(log: readonly LogRecord[], fromPrograms: number): string {
  const notes: string[] = [];
  const lost = log[0]?.sequence ?? 0n;
  if (lost > 0n) notes.push(`the log buffer has wrapped: its first ${lost} records are lost`);
  if (fromPrograms > 0) {
    notes.push(
      `${fromPrograms} records like the patch's were written by programs, not by the kernel: they ` +
        "do not count",
    );
  }
  return notes.join("; ");
}

/** How many records are missing between the first and the last, by their numbers. */
function missingIn(log: readonly LogRecord[]): number {
  const [first, last] = [log[0], log.at(-1)];
  if (!first || !last) return 0;
  return Math.max(0, Number(last.sequence - first.sequence) + 1 - log.length);
}

async function* judgeRecords(
  linux: LinuxGuest,
  records: readonly VfioLogRecord[],
  asked: LinuxProcess | null,
  options: WalkManyOptions,
): AsyncGenerator<LoggedPageJudgement, void> {
  const { learnPhysicalBits: _, ...reads } = options;
  if (records.length === 0) return;
  /** Whether a process still is what it was once its pages have been read. */
  const lasting = new Map<number, boolean>();
  const among = asked ? { among: [asked] } : {};
  for await (const page of linux.loggedPages(records, { ...options, ...among })) {
    const judged = asked
      ? judgeInProcess(page.record, asked, page.candidates[0]?.walk ?? null)
      : judgeAmongProcesses(page);
    const { process } = judged;
    if (process && !lasting.has(process.pid)) {
      lasting.set(process.pid, await isStillThere(linux, process, reads));
    }
    yield process === null || lasting.get(process.pid) ? judged : {
      ...judged,
      verdict: "inconclusive",
      reason:
        `pid ${process.pid} ${process.comm} has exited meanwhile: its tables may belong to another process`,
    };
  }
}

/** Returns the processes that have any, or of which it is not known; null if it is of none. */
async function* verifyRanges(
  guest: VfioGuest,
  linux: LinuxGuest,
  source: "pinned" | "device",
  asked: LinuxProcess | null,
  options: ReadOptions,
): AsyncGenerator<VfioJudgement, LinuxProcess[] | null> {
  const find = source === "pinned" ? pinnedRanges : deviceRanges;
  const processes = asked ? [asked] : await linux.processes(options);
  const judgements: VfioJudgement[] = [];
  const holders: LinuxProcess[] = [];
  try {
    for (const process of processes) {
      if (process.root === null) continue;
      const { ranges, unread } = await find(linux, process, options);
      judgements.push(...unread);
      if (ranges.length + unread.length > 0) holders.push(process);
      if (ranges.length === 0) continue;
      const judged = await judgeRanges(guest.memory, linux, process, ranges, {
        ...options,
        learnPhysicalBits: () => guest.physicalAddressBits(),
      });
      const isThere = await isStillThere(linux, process, options);
      const gone = `pid ${process.pid} ${process.comm} has exited meanwhile`;
      judgements.push(
        ...judged.map((each) =>
          isThere ? each : { ...each, verdict: "inconclusive" as const, reason: gone }
        ),
      );
    }
  } catch (error) {
    if (!(error instanceof CapabilityError)) throw error;
    yield state(source, "unavailable", error.message);
    yield* judgements;
    return null;
  }
  yield state(source, "read");
  yield* judgements;
  return holders;
}
