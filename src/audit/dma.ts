import type { ListedSpan } from "../translate/listing_records.ts";
import type { DmaRuleName } from "./dma_rules.ts";
import { type Finding, finding, FindingJoiner } from "./finding.ts";

/** Neighbouring pages that a device reaches, whose frames are neighbours too. */
export interface DmaRun {
  /** The first address on the device's side. */
  readonly iova: bigint;
  /** The first guest-physical address. */
  readonly physicalAddress: bigint;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** May the device read it? */
  readonly read: boolean;
  /** May it write it? */
  readonly write: boolean;
}

/** Devices that reach the same, and what that is. */
export interface DmaReach {
  /** The devices, such as `00:03.0`. */
  readonly devices: readonly string[];
  /** True if their DMA is passed through: then there are no runs. */
  readonly passesThrough: boolean;
  /** True if VFIO has given them to a process. */
  readonly isVfio: boolean;
  /** True if one of them is a bridge to ISA, for which Linux maps the first 16 MiB one to one. */
  readonly isIsaBridge: boolean;
  /** What they reach, by IOVA. */
  readonly runs: readonly DmaRun[];
}

/** Memory that no device should write. */
export interface GuardedMemory {
  /** The rule that a device breaks which can write it. */
  readonly rule: DmaRuleName;
  /** The first guest-physical address. */
  readonly start: bigint;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** What it is, for people. */
  readonly what: string;
}

const ISA_BYTES = 16n << 20n;

/**
 * Finds what devices reach and should not: guarded memory that they can write, devices that are not held back
 * at all, and frames that devices of two domains reach. Pure: nothing is read.
 *
 * @example Usage
 * ```ts
 * import { auditDmaReach } from "@pagewalk/pagewalk/devices";
 * import { assertEquals } from "@std/assert";
 *
 * const run = { iova: 0n, physicalAddress: 0x1000n, lengthBytes: 8192, read: true, write: true };
 * const reach = { devices: ["00:03.0"], passesThrough: false, isVfio: true, isIsaBridge: false, runs: [run] };
 * const text = { rule: "dma-writes-kernel-text", start: 0x2000n, lengthBytes: 4096, what: "" } as const;
 * const [found] = auditDmaReach([reach], [text]);
 * assertEquals([found!.rule, found!.address], ["dma-writes-kernel-text", 0x1000n]);
 * ```
 */
export function* auditDmaReach(
  reaches: readonly DmaReach[],
  guarded: readonly GuardedMemory[],
): Generator<Finding> {
  const sorted = guarded.toSorted((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
  for (const reach of reaches) {
    if (reach.passesThrough) {
      const span = { address: 0n, lengthBytes: 0 };
      yield finding("dma-pass-through", span, { evidence: { devices: reach.devices } });
    }
    const joiner = new FindingJoiner();
    for (const run of reach.runs) {
      if (!run.write) continue;
      for (const found of writable(reach, run, sorted)) yield* joiner.add(found);
    }
    yield* joiner.end();
  }
  yield* sharedFrames(reaches);
}

function* writable(
  reach: DmaReach,
  run: DmaRun,
  sorted: readonly GuardedMemory[],
): Generator<Finding> {
  const runEnd = run.physicalAddress + BigInt(run.lengthBytes);
  for (let i = firstBefore(sorted, run.physicalAddress); i < sorted.length; i++) {
    const { rule, start, lengthBytes, what } = sorted[i]!;
    if (start >= runEnd) break;
    const from = start > run.physicalAddress ? start : run.physicalAddress;
    const end = start + BigInt(lengthBytes);
    const to = end < runEnd ? end : runEnd;
    if (from >= to) continue;
    const isFloppy = reach.isIsaBridge && run.iova === run.physicalAddress && to <= ISA_BYTES;
    const why = isFloppy ? ", in what Linux maps for floppy drives" : "";
    yield finding(rule, {
      address: run.iova + (from - run.physicalAddress),
      lengthBytes: Number(to - from),
    }, {
      message: `${reach.devices.join(", ")} can write ${what}${why}`,
      evidence: { ...evidenceOf(run, from) },
      ...isFloppy && { severity: "low" },
    });
  }
}

function evidenceOf({ read, write }: DmaRun, physicalAddress: bigint) {
  return {
    physicalAddress,
    effective: { user: false, executable: false, writable: write, readable: read },
  };
}

/** Guarded spans do not overlap others of their kind, but kinds do: a few steps back are enough. */
function firstBefore(sorted: readonly GuardedMemory[], address: bigint): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.start < address) low = middle + 1;
    else high = middle;
  }
  let first = low;
  // The longest one decides how far back a span may begin that reaches up to the address.
  const longest = longestOf(sorted);
  while (first > 0 && sorted[first - 1]!.start + longest > address) first--;
  return first;
}

const longestKnown = new WeakMap<readonly GuardedMemory[], bigint>();

function longestOf(sorted: readonly GuardedMemory[]): bigint {
  let longest = longestKnown.get(sorted);
  if (longest === undefined) {
    longest = BigInt(sorted.reduce((most, { lengthBytes }) => Math.max(most, lengthBytes), 0));
    longestKnown.set(sorted, longest);
  }
  return longest;
}

/** Sweeps over the frames in order; those of one set of domains are told together. */
function* sharedFrames(reaches: readonly DmaReach[]): Generator<Finding> {
  const events = reaches.flatMap((reach, of) =>
    reach.runs.flatMap((run) => [
      { at: run.physicalAddress, of, run, begins: true },
      { at: run.physicalAddress + BigInt(run.lengthBytes), of, run, begins: false },
    ])
  ).sort((a, b) => a.at < b.at ? -1 : a.at > b.at ? 1 : Number(a.begins) - Number(b.begins));
  const active = new Map<number, DmaRun[]>();
  let open: { key: string; found: Finding; end: bigint } | null = null;
  for (const [i, { of, run, begins, at }] of events.entries()) {
    const others = (active.get(of) ?? []).filter((each) => each !== run);
    const now = begins ? [...others, run] : others;
    if (now.length > 0) active.set(of, now);
    else active.delete(of);
    const next = events[i + 1]?.at ?? at;
    if (next === at || active.size < 2) continue;
    const key = [...active.keys()].sort().join();
    if (open !== null && open.key === key && open.end === at) {
      open.end = next;
      open.found = {
        ...open.found,
        lengthBytes: Number(next - open.found.evidence.physicalAddress!),
      };
      continue;
    }
    if (open !== null) yield open.found;
    open = { key, found: shared(reaches, active, at, Number(next - at)), end: next };
  }
  if (open !== null) yield open.found;
}

function shared(
  reaches: readonly DmaReach[],
  active: ReadonlyMap<number, readonly DmaRun[]>,
  physicalAddress: bigint,
  lengthBytes: number,
): Finding {
  const ways = [...active].map(([of, [run]]) => ({ reach: reaches[of]!, run: run! }));
  const devices = ways.flatMap(({ reach }) => reach.devices);
  const [first] = ways;
  const span: ListedSpan = {
    address: first!.run.iova + (physicalAddress - first!.run.physicalAddress),
    lengthBytes,
  };
  // What a process has by VFIO in several domains is its own.
  const ofBoth = [true, false].every((is) => ways.some(({ reach }) => reach.isVfio === is));
  const writes = ofBoth && ways.some(({ run }) => run.write);
  return finding("dma-shared-frame", span, {
    evidence: { devices, physicalAddress },
    ...writes && { severity: "medium" },
  });
}
