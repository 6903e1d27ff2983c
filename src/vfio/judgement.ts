import type { LinuxProcess } from "../linux/processes.ts";
import type { VfioLogRecord } from "../linux/vfio_log_record.ts";
import type { Walk } from "../translate/walk.ts";
import type { RangeVerdict } from "../verify/range_verdict.ts";
import type { VerdictKind } from "../verify/verdict.ts";

/**
 * Where it is known from what is to be cleared: the kernel's log, the VFIO driver's list, and what the
 * IOMMU's tables let devices reach.
 */
export type VfioSource = "log" | "pinned" | "device" | "iommu";

/** What every judgement of the VFIO check tells. */
export interface Judged {
  /** Whether `_PAGE_USER` is cleared, and the entry the logged one. */
  readonly verdict: VerdictKind;
  /** Why, in one sentence. */
  readonly reason: string;
}

/** A page that the log names. */
export interface LoggedPageJudgement extends Judged {
  /** Which kind of judgement this is. */
  readonly kind: "logged";
  /** What the log says of it. */
  readonly record: VfioLogRecord;
  /** The process in which it was judged; null if that is not certain. */
  readonly process: LinuxProcess | null;
  /** The walk through that process's tables. */
  readonly walk: Walk | null;
}

/** A range that VFIO has pinned for DMA, or that it gave a process of a device. */
export interface VfioRangeJudgement extends Judged {
  /** Which kind of judgement this is. */
  readonly kind: "pinned" | "device";
  /** The process. */
  readonly process: LinuxProcess;
  /** The first virtual address in it. */
  readonly address: bigint;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** The first address on the device's side, of a pinned range. */
  readonly iova?: bigint;
  /** May devices read it? Of a pinned range. */
  readonly readable?: boolean;
  /** May devices write it? Of a pinned range. */
  readonly writable?: boolean;
  /** The area's name, of a device's memory. */
  readonly name?: string;
  /** How its pages fared. */
  readonly range: RangeVerdict;
}

/** Pages that VFIO has pinned or the IOMMU maps, alike and one after the other on both sides. */
export interface VfioDmaJudgement extends Judged {
  /** Which kind of judgement this is. */
  readonly kind: "dma";
  /** The process that holds the container. */
  readonly process: LinuxProcess;
  /** The devices that use the tables, such as `00:03.0`. */
  readonly devices: readonly string[];
  /** The first address on the devices' side. */
  readonly iova: bigint;
  /** The first virtual address in the process; null of what VFIO does not list. */
  readonly address: bigint | null;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** The first guest-physical address that the devices reach; null if the IOMMU does not map it. */
  readonly physicalAddress: bigint | null;
  /** The one that the process's address leads to; null if it leads nowhere, or there is none. */
  readonly processPhysicalAddress: bigint | null;
  /** May the devices read it, by the tables? Linux lets them read whatever they may write. */
  readonly read: boolean;
  /** May they write it? */
  readonly write: boolean;
}

/** A part of a source that could not be looked at: what is in it is not known. */
export interface VfioUnreadPart {
  /** Which kind of judgement this is. */
  readonly kind: "unread";
  /** Of which source. */
  readonly source: VfioSource;
  /** Never a pass, never a failure. */
  readonly verdict: "inconclusive";
  /** What and why. */
  readonly reason: string;
}

/** What became of a source as a whole; it is told before the judgements of what is in it. */
export interface VfioSourceState {
  /** Which kind of record this is. */
  readonly kind: "source";
  /** Which source. */
  readonly source: VfioSource;
  /** Was it read, could this kernel's not be read at all, or was it not asked for? */
  readonly state: "read" | "unavailable" | "unasked";
  /** Why it cannot be read, or what should be known of it; empty if nothing. */
  readonly reason: string;
}

/** One result of {@linkcode verifyVfio}, as it comes. */
export type VfioJudgement =
  | VfioSourceState
  | LoggedPageJudgement
  | VfioRangeJudgement
  | VfioDmaJudgement
  | VfioUnreadPart;
