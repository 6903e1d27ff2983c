import { formatAddress } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";
import { NoIommuError } from "../iommu/errors.ts";
import type { IommuDevice } from "../iommu/iommu_device.ts";
import { groupDevices } from "../iommu/reach.ts";
import { CapabilityError } from "../linux/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import type { VfioContainer, VfioMapping } from "../linux/vfio_mappings.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { cut, readReach, readRuns, type Run, sameRuns } from "./_dma_runs.ts";
import { HeldByOthers, whyNoAddress } from "./_pinned.ts";
import type { VfioDmaJudgement, VfioJudgement, VfioUnreadPart } from "./judgement.ts";

/** Knows the devices and the tables that translate them. */
export interface DmaDevices {
  /** The devices, and what could not be read of them. */
  devices(options?: ReadOptions): Promise<{
    readonly devices: readonly IommuDevice[];
    readonly problems: readonly string[];
  }>;
}

/** What the check of both sides needs of a guest. */
interface DmaGuest {
  readonly memory: PhysicalMemory;
  iommu?(): Promise<DmaDevices>;
}

/** The devices of one domain, and whose container they are in. */
interface Side {
  readonly devices: readonly [IommuDevice, ...IommuDevice[]];
  readonly process: LinuxProcess;
}

/** How both sides are compared. */
export interface VerifyDmaOptions extends ReadOptions {
  /** Whether nothing passes without it; else a guest whose IOMMU cannot be read is judged as if it had none. */
  readonly isRequired: boolean;
}

/**
 * Judges each page that VFIO has pinned from both sides: the frame that the device reaches must be the frame
 * that the process's address leads to, with `_PAGE_USER` cleared in its entry. What the IOMMU maps and VFIO
 * does not list fails too.
 *
 * @param processes those that may hold containers
 */
export async function* verifyDma(
  guest: DmaGuest,
  linux: LinuxGuest,
  processes: readonly LinuxProcess[],
  { isRequired, ...options }: VerifyDmaOptions,
): AsyncGenerator<VfioJudgement, void> {
  const judged: VfioJudgement[] = [];
  let note = "";
  try {
    const found = await guest.iommu?.();
    if (found === undefined) throw new NoIommuError("The guest's IOMMU cannot be asked about");
    const { devices, problems } = await found.devices(options);
    if (isRequired) judged.push(...problems.map(unread));
    else note = problems.join("; ");
    /** The device with Linux's records as they are now: they are read with the devices. */
    const again = async (device: IommuDevice) => {
      if (device.recorded === undefined) return device;
      const later = await found.devices(options);
      return later.devices.find(({ requesterId }) => requesterId === device.requesterId) ??
        { ...device, recorded: [] };
    };
    const others = new HeldByOthers(linux, options);
    for (const process of processes) {
      if (process.root === null) continue;
      for (const container of await linux.vfioContainers(process, options)) {
        for await (
          const each of judgeContainer(guest.memory, linux, process, container, {
            ...{ again, devices, others, options },
          })
        ) judged.push(each);
      }
    }
  } catch (error) {
    if (!(error instanceof PagewalkError) || !TOLD.has(error.name)) throw error;
    if (!isRequired && judged.length === 0) {
      return yield { kind: "source", source: "iommu", state: "unavailable", reason: error.message };
    }
    // It was asked for, or a part was judged: without the rest, nothing passes.
    judged.push(unread(error.message));
  }
  yield { kind: "source", source: "iommu", state: "read", reason: note };
  yield* judged;
}

/** What keeps an IOMMU from being read; a lost connection is another matter. */
const TOLD = new Set([
  "NoIommuError",
  "CapabilityError",
  "InconsistentListError",
  "KernelFormatError",
  "LinuxNotFoundError",
  "MemoryReadError",
  "PageFaultError",
  "ReplyParseError",
  "UnknownCommandError",
  "CommandRefusedError",
  "NotRecordedError",
]);

function unread(reason: string): VfioUnreadPart {
  return { kind: "unread", source: "iommu", verdict: "inconclusive", reason };
}

async function* judgeContainer(
  memory: PhysicalMemory,
  linux: LinuxGuest,
  process: LinuxProcess,
  container: VfioContainer,
  about: {
    devices: readonly IommuDevice[];
    again: (device: IommuDevice) => Promise<IommuDevice>;
    others: HeldByOthers;
    options: ReadOptions;
  },
): AsyncGenerator<VfioDmaJudgement | VfioUnreadPart> {
  const { again, devices, others, options } = about;
  const whose = `pid ${process.pid} ${process.comm}`;
  const sides = groupDevices(
    devices.filter((device) => isBehind(container, device)),
  );
  if (sides.length === 0) {
    if (container.mappings.length === 0) return;
    if (container.tables === null && devices.every(({ recorded }) => recorded === undefined)) {
      throw new CapabilityError(
        "vfio",
        `${whose}: this kernel does not tell which of the IOMMU's tables its container uses`,
      );
    }
    return yield unread(`${whose}: no device is translated by the tables of its container`);
  }
  for (const { devices } of sides) {
    const [first] = devices;
    const reach = await readReach(memory, first, options);
    const own: [VfioMapping, Run[]][] = [];
    for (const mapping of container.mappings) {
      const { address, lengthBytes, owner, iova } = mapping;
      if (owner.kind === "self" && address !== null) {
        const context = linux.contextOf(process);
        const range = { start: address, lengthBytes };
        own.push([mapping, await readRuns(memory, context, range, options)]);
      } else if (owner.kind !== "other" || !await others.holds(owner.pid, iova)) {
        yield unread(`${whose}: ${whyNoAddress(owner, mapping)}`);
      }
    }
    // What was read first is read again: then both sides stood at one moment.
    const isSteady = sameRuns(reach, await readReach(memory, await again(first), options)) &&
      sameMappings(container, await linux.vfioContainers(process, options));
    const side = { devices, process };
    const judged = [
      ...own.flatMap(([mapping, runs]) => [...judgeMapping(side, mapping, reach, runs)]),
      ...unlisted(side, container.mappings, reach),
    ];
    const reason = "the guest mapped or unmapped meanwhile: try again, or freeze it";
    for (const each of judged) {
      yield isSteady ? each : { ...each, verdict: "inconclusive", reason };
    }
  }
}

/** VFIO's type 1 driver does not nest tables, and the root of nested ones is not a machine address. */
function isBehind(
  { domains, tables }: VfioContainer,
  { linuxDomain, regime }: IommuDevice,
): boolean {
  if (linuxDomain !== undefined) return domains.includes(linuxDomain);
  return regime !== undefined && regime.stage2 === undefined &&
    (tables?.includes(regime.root) ?? false);
}

function sameMappings({ mappings }: VfioContainer, later: readonly VfioContainer[]): boolean {
  const text = (all: readonly VfioMapping[]) =>
    all.map(({ iova, address, lengthBytes }) => `${iova} ${address} ${lengthBytes}`).join();
  return later.some((container) => text(container.mappings) === text(mappings));
}

/** Judges what VFIO lists, in parts that are alike on both sides. */
function* judgeMapping(
  side: Side,
  { iova, address, lengthBytes }: VfioMapping,
  reach: readonly Run[],
  own: readonly Run[],
): Generator<VfioDmaJudgement> {
  const distance = address! - iova;
  for (const device of cut(reach, iova, iova + BigInt(lengthBytes))) {
    for (const cpu of cut(own, device.start + distance, device.end + distance)) {
      const start = cpu.start - distance;
      const offset = start - device.start;
      const reached = device.run && device.run.physical !== null
        ? device.run.physical + offset
        : null;
      yield {
        ...placeOf(side, start, cpu.end - cpu.start, device.run),
        address: cpu.start,
        physicalAddress: reached,
        processPhysicalAddress: cpu.run?.physical ?? null,
        ...judge(device.run, reached, cpu.run),
      };
    }
  }
}

function placeOf({ devices, process }: Side, iova: bigint, lengthBytes: bigint, run: Run | null) {
  return {
    kind: "dma" as const,
    process,
    devices: devices.map(({ device }) => device),
    iova,
    lengthBytes: Number(lengthBytes),
    read: run?.read ?? false,
    write: run?.write ?? false,
  };
}

function judge(
  device: Run | null,
  reached: bigint | null,
  cpu: Run | null,
): Pick<VfioDmaJudgement, "verdict" | "reason"> {
  const fail = (reason: string) => ({ verdict: "fail" as const, reason });
  const inconclusive = (reason: string) => ({ verdict: "inconclusive" as const, reason });
  if (device !== null && reached === null) return inconclusive("the IOMMU's tables cannot be read");
  if (cpu !== null && cpu.physical === null) {
    return inconclusive("the process's tables cannot be read");
  }
  const [theirs, ours] = [reached, cpu?.physical ?? null].map((frame) =>
    frame === null ? null : formatAddress(frame)
  );
  if (theirs === null) {
    const has = ours === null ? "the process has no page there" : `the process has frame ${ours}`;
    return fail(`VFIO lists it, but the IOMMU does not map it; ${has}`);
  }
  if (ours === null) {
    return fail(`the device reaches frame ${theirs}, the process has no page there`);
  }
  if (theirs !== ours) {
    return fail(`the device reaches frame ${theirs}, the process's address leads to ${ours}`);
  }
  if (cpu!.leaf!.user) return fail(`_PAGE_USER is set; the device reaches the same frame ${ours}`);
  return { verdict: "pass", reason: "the same frame on both sides, and _PAGE_USER is cleared" };
}

/** What the IOMMU maps and VFIO does not list. */
function* unlisted(
  side: Side,
  mappings: readonly VfioMapping[],
  reach: readonly Run[],
): Generator<VfioDmaJudgement> {
  const listed: Run[] = mappings.map(({ iova, lengthBytes }) => ({
    start: iova,
    end: iova + BigInt(lengthBytes),
    physical: 0n,
    read: true,
    write: true,
  })).sort((a, b) => a.start < b.start ? -1 : 1);
  for (const run of reach) {
    for (const part of cut(listed, run.start, run.end)) {
      if (part.run !== null) continue;
      const physicalAddress = run.physical === null
        ? null
        : run.physical + (part.start - run.start);
      yield {
        ...placeOf(side, part.start, part.end - part.start, run),
        address: null,
        physicalAddress,
        processPhysicalAddress: null,
        ...physicalAddress === null
          ? { verdict: "inconclusive", reason: "the IOMMU's tables cannot be read" }
          : {
            verdict: "fail",
            reason: `the IOMMU maps it to ${
              formatAddress(physicalAddress)
            }, and VFIO does not list it`,
          },
      };
    }
  }
}
