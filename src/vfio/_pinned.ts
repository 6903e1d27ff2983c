import { formatAddress } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";
import { CapabilityError, NoSuchProcessError } from "../linux/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import type { VfioMapping, VfioMappingOwner } from "../linux/vfio_mappings.ts";
import { CachingMemory } from "../memory/caching_memory.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { PageFaultError } from "../translate/address_space.ts";
import type { WalkManyOptions } from "../translate/walk_many.ts";
import { verifyRange } from "../verify/range.ts";
import type { RangeVerdict } from "../verify/range_verdict.ts";
import type { VfioRangeJudgement, VfioUnreadPart } from "./judgement.ts";

/** A range of one process, before it is judged. */
export type VfioRange = Omit<VfioRangeJudgement, "verdict" | "reason" | "range">;

/** What was found of one process, and what of it could not be read. */
export interface FoundRanges {
  readonly ranges: readonly VfioRange[];
  readonly unread: readonly VfioUnreadPart[];
}

/**
 * What VFIO has pinned of a process.
 *
 * @throws {CapabilityError} with capability `types` if no process's can be read in this kernel
 */
export async function pinnedRanges(
  linux: LinuxGuest,
  process: LinuxProcess,
  options: ReadOptions,
): Promise<FoundRanges> {
  return await found("pinned", linux, process, options, async () => {
    const mappings = await linux.vfioMappings(process, options);
    const others = new HeldByOthers(linux, options);
    const candidates: Candidate[] = [];
    for (const { owner, ...mapping } of mappings) {
      if (owner.kind === "other" && await others.holds(owner.pid, mapping.iova)) continue;
      const address = owner.kind === "self" && mapping.address !== null
        ? mapping.address
        : whyNoAddress(owner, mapping);
      candidates.push({ kind: "pinned", process, ...mapping, address });
    }
    return candidates;
  });
}

/** Why a mapping of a container has no address whose page tables can be judged. */
export function whyNoAddress(
  { kind, pid }: VfioMappingOwner,
  { iova, lengthBytes }: Pick<VfioMapping, "iova" | "lengthBytes">,
): string {
  const what = `${lengthBytes / 4096} pages pinned at IOVA ${formatAddress(iova)}`;
  switch (kind) {
    case "self":
      return `${what} is changing owner: try again`;
    case "other":
      return `${what} is memory of pid ${pid}, which holds no container: its own page tables say`;
    case "ended":
      return `${what} is memory of pid ${pid}, which has exited: it stays pinned, and no page table ` +
        "is left to judge";
    case "formerProgram":
      return `${what} is memory of a program that pid ${pid} ran before an exec: it stays ` +
        "pinned, and no page table is left to judge";
  }
}

/** Which mappings other processes hold themselves, so that they are told with theirs. */
export class HeldByOthers {
  readonly #known = new Map<number, Promise<ReadonlySet<bigint>>>();
  readonly #linux: LinuxGuest;
  readonly #options: ReadOptions;

  constructor(linux: LinuxGuest, options: ReadOptions) {
    this.#linux = linux;
    this.#options = options;
  }

  async holds(pid: number, iova: bigint): Promise<boolean> {
    let held = this.#known.get(pid);
    if (!held) this.#known.set(pid, held = this.#read(pid));
    return (await held).has(iova);
  }

  async #read(pid: number): Promise<ReadonlySet<bigint>> {
    const process = await this.#linux.process(pid, this.#options).catch((error) => {
      if (error instanceof NoSuchProcessError) return null;
      throw error;
    });
    if (process === null || process.mm === null) return new Set();
    const own = await this.#linux.vfioMappings(process, this.#options);
    return new Set(own.filter(({ owner }) => owner.kind === "self").map(({ iova }) => iova));
  }
}

/** What VFIO gave a process of devices. */
export async function deviceRanges(
  linux: LinuxGuest,
  process: LinuxProcess,
  options: ReadOptions,
): Promise<FoundRanges> {
  return await found("device", linux, process, options, async () => {
    const areas = (await linux.vmas(process, options)).filter(({ kind }) => kind === "vfio");
    const candidates = areas.map(({ start, end, name }): Candidate => ({
      kind: "device",
      process,
      address: start,
      lengthBytes: Number(end - start),
      name,
    }));
    const [first] = candidates;
    if (first && !await holdsContainer(linux, process, options)) {
      candidates.push({ ...first, address: HIDDEN });
    }
    return candidates;
  });
}

// A mapping keeps its device, and with it the container, when all files are closed.
const HIDDEN =
  "it maps a device's memory, but has no file of VFIO's open: what its container has " +
  "pinned cannot be found";

/**
 * What a process of which nothing pinned was found may have pinned nevertheless: the patch's log names its
 * pages, and a mapping of a device's memory may be all that is left of its container.
 */
export async function hiddenRanges(
  linux: LinuxGuest,
  process: LinuxProcess,
  options: ReadOptions,
): Promise<readonly VfioUnreadPart[]> {
  const { unread } = await found("pinned", linux, process, options, async () => {
    const areas = await linux.vmas(process, options);
    const area = areas.find(({ kind }) => kind === "vfio");
    if (!area || await holdsContainer(linux, process, options)) return [];
    const { start, end } = area;
    return [{ kind: "pinned", process, address: HIDDEN, lengthBytes: Number(end - start) }];
  });
  return unread;
}

/** Whether what a process has open leads to a container; true where the kernel's types do not tell. */
async function holdsContainer(
  linux: LinuxGuest,
  process: LinuxProcess,
  options: ReadOptions,
): Promise<boolean> {
  try {
    return (await linux.vfioContainers(process, options)).length > 0;
  } catch (error) {
    // That nothing pinned could be read is told already.
    if (error instanceof CapabilityError && error.capability === "types") return true;
    throw error;
  }
}

/** A range, or why it has no address. */
type Candidate = Omit<VfioRange, "address"> & { address: bigint | string };

async function found(
  source: "pinned" | "device",
  linux: LinuxGuest,
  process: LinuxProcess,
  options: ReadOptions,
  read: () => Promise<Candidate[]>,
): Promise<FoundRanges> {
  const unread = (reason: string): VfioUnreadPart => ({
    kind: "unread",
    source,
    verdict: "inconclusive",
    reason: `pid ${process.pid} ${process.comm}: ${reason}`,
  });
  try {
    const all = await read();
    return {
      ranges: all.filter((range): range is VfioRange => typeof range.address === "bigint"),
      unread: all.flatMap(({ address }) => typeof address === "string" ? [unread(address)] : []),
    };
  } catch (error) {
    const isOwn = error instanceof PagewalkError || error instanceof MemoryReadError ||
      error instanceof PageFaultError;
    const isKernels = error instanceof CapabilityError && error.capability === "types";
    if (!isOwn || isKernels) throw error;
    // One that has exited holds nothing any more.
    if (!await isStillThere(linux, process, options)) return { ranges: [], unread: [] };
    return { ranges: [], unread: [unread(error.message)] };
  }
}

/** Whether a process is what it was when it was listed: the same, with the same page tables. */
export async function isStillThere(
  linux: LinuxGuest,
  { pid, mm, root }: LinuxProcess,
  options: ReadOptions,
): Promise<boolean> {
  const now = await linux.process(pid, options).catch((error) => {
    if (error instanceof NoSuchProcessError) return null;
    throw error;
  });
  return now !== null && now.mm === mm && now.root === root;
}

/** So many ranges are judged at the same time. */
const AT_ONCE = 64;

/**
 * Judges a process's ranges. Many small ones lie in the same tables: those that are judged at the same
 * time share their reads, and each still reads its entries three times.
 */
export async function judgeRanges(
  memory: PhysicalMemory,
  linux: Pick<LinuxGuest, "contextOf">,
  process: LinuxProcess,
  ranges: readonly VfioRange[],
  options: WalkManyOptions,
): Promise<VfioRangeJudgement[]> {
  const shared = new CachingMemory(memory, { capacityBytes: 0 });
  const context = linux.contextOf(process);
  const judge = async (place: VfioRange): Promise<VfioRangeJudgement> => {
    const { address: start, lengthBytes } = place;
    const range = await verifyRange(
      shared,
      context,
      { start, lengthBytes },
      { user: false },
      options,
    );
    return { ...place, range, verdict: range.verdict, reason: reasonOf(range) };
  };
  const judged: VfioRangeJudgement[] = [];
  for (let next = 0; next < ranges.length; next += AT_ONCE) {
    judged.push(...await Promise.all(ranges.slice(next, next + AT_ONCE).map(judge)));
  }
  return judged;
}

function reasonOf({ pages, passed, failed, inconclusive, firstFailure }: RangeVerdict): string {
  const parts = [`${passed} of ${pages} pages pass`];
  if (failed > 0) {
    parts.push(`${failed} have _PAGE_USER, the first at ${formatAddress(firstFailure!)}`);
  }
  if (inconclusive > 0) parts.push(`${inconclusive} could not be judged`);
  return parts.join("; ");
}
