import { FindingLimit } from "../audit/_finding_limit.ts";
import { auditDmaReach, type DmaReach, type DmaRun, type GuardedMemory } from "../audit/dma.ts";
import { AUDIT_SHAPE } from "../audit/audit.ts";
import { type Finding, finding } from "../audit/finding.ts";
import { checkOptions } from "../core/options.ts";
import { deviceMappings, groupDevices } from "../iommu/reach.ts";
import type { DmaAuditOptions, DmaAuditSource } from "./dma_audit_source.ts";
import { guardedMemory } from "./guarded_memory.ts";
import type { GuestDevice } from "./guest_iommu.ts";
import { orphanedMappings } from "./orphaned_mappings.ts";

/** Tables full of junk are not to fill the memory: 4 GiB of scattered pages, of all devices together. */
const MAX_RUNS = 1 << 20;
/** The same of what no device should write: the tables of 2 TiB of small pages. */
const MAX_GUARDED = 1 << 20;

/** Audits what the devices of a guest reach. */
export async function* auditGuestDma(
  session: DmaAuditSource,
  options: DmaAuditOptions = {},
): AsyncGenerator<Finding> {
  const { signal, onProgress, maxTables, maxFindings } = AUDIT_SHAPE;
  checkOptions(options, "the options of an audit of DMA", {
    signal,
    onProgress,
    maxTables,
    maxFindings,
  });
  const limit = new FindingLimit(options.maxFindings ?? 2000);
  for await (const found of allFindings(session, options)) if (limit.takes(found)) yield found;
  yield* limit.leftOut();
}

async function* allFindings(
  session: DmaAuditSource,
  options: DmaAuditOptions,
): AsyncGenerator<Finding> {
  const reads = options.signal ? { signal: options.signal } : {};
  const { devices, problems } = await (await session.iommu()).devices(reads);
  yield* problems.map(notAudited);
  for (const { device, state, reason } of devices) {
    if (state === "unknown") yield notAudited(`${device}: its DMA is not known (${reason})`);
  }
  const groups = groupDevices(devices).map((group) => group.devices)
    .filter(([{ state }]) => state === "translated" || state === "passThrough");
  const { orphans, roots, unread } = await orphanedMappings(session, reads);
  yield* unread.map(notAudited);
  const reaches: DmaReach[] = [];
  let left = MAX_RUNS;
  for (const group of groups) {
    const { reach, isWhole } = await reachOf(session, group, roots, { ...options, left });
    reaches.push(reach);
    left -= reach.runs.length;
    if (!isWhole) yield notAudited(`What ${reach.devices.join(", ")} reaches could not be listed`);
  }
  const guarded: GuardedMemory[] = [];
  for await (const each of guardedMemory(session, groups, options)) {
    if (typeof each === "string") yield notAudited(each);
    else guarded.push(each);
    if (guarded.length < MAX_GUARDED) continue;
    yield notAudited(
      `Only the first ${MAX_GUARDED} places that no device should write are checked: there are more`,
    );
    break;
  }
  yield* auditDmaReach(reaches, guarded);
  for (const { root, iova, lengthBytes, pid } of orphans) {
    const index = groups.findIndex(([first]) => rootOf(first) === root);
    const end = iova + BigInt(lengthBytes);
    const run = reaches[index]?.runs.find((each) =>
      each.iova < end && iova < each.iova + BigInt(each.lengthBytes)
    );
    // What no device is translated by is no device's to reach.
    if (run === undefined) continue;
    const { devices } = reaches[index]!;
    yield finding("dma-owner-gone", { address: iova, lengthBytes }, {
      message: `${devices.join(", ")} reaches memory of pid ${pid}, which is gone`,
      evidence: { devices, physicalAddress: run.physicalAddress },
    });
  }
}

/** What identifies the container that a device is in: its top table, or Linux's domain. */
function rootOf({ linuxDomain, regime }: GuestDevice): bigint | undefined {
  return linuxDomain ?? (regime?.stage2 === undefined ? regime?.root : undefined);
}

function notAudited(message: string): Finding {
  return finding("not-audited", { address: 0n, lengthBytes: 0 }, { message });
}

async function reachOf(
  session: DmaAuditSource,
  group: readonly [GuestDevice, ...GuestDevice[]],
  vfioRoots: ReadonlySet<bigint>,
  { left, maxTables, signal }: DmaAuditOptions & { left: number },
): Promise<{ reach: DmaReach; isWhole: boolean }> {
  const [first] = group;
  const runs: DmaRun[] = [];
  let isWhole = true;
  const list = {
    ...signal && { signal },
    ...maxTables !== undefined && { maxTables },
    ...{ contiguous: true, expandShared: true },
  };
  for await (const record of deviceMappings(session.memory, first, {}, list)) {
    if (record.kind !== "mapping" || runs.length === left) {
      isWhole = false;
      if (runs.length === left) break;
      continue;
    }
    const { address: iova, physicalAddress, lengthBytes, effective } = record;
    const { readable: read = true, writable: write } = effective;
    runs.push({ iova, physicalAddress: physicalAddress!, lengthBytes, read, write });
  }
  const reach = {
    devices: group.map(({ device }) => device),
    passesThrough: first.state === "passThrough",
    isVfio: vfioRoots.has(rootOf(first) ?? -1n),
    isIsaBridge: group.some(({ name }) => name.startsWith("ISA bridge")),
    runs,
  };
  return { reach, isWhole };
}
