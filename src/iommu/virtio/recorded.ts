import { type AddressRange, parseRange } from "../../translate/address_range.ts";
import type { PageTableEntry } from "../../translate/entry.ts";
import { MAX_TABLES } from "../../translate/listing.ts";
import type { Mapping, MappingRecord, MappingsOptions } from "../../translate/mappings.ts";
import type { Regime } from "../../translate/regime.ts";
import type { DmaMapping } from "../iommu_device.ts";
import { dmaRights } from "../rights.ts";
import { iommuRules } from "../rules.ts";

const PAGE_BYTES = 4096n;
/** VIRTIO_IOMMU_MAP_F_READ and _WRITE (include/uapi/linux/virtio_iommu.h). */
const READ = 1n;
const WRITE = 2n;

/** What stands for the tables of a virtio IOMMU, which QEMU keeps for itself: a walk of them says so. */
export const VIRTIO_REGIME: Regime = {
  mode: "virtio-iommu, by Linux's records",
  root: 0n,
  spans: [],
  rules: iommuRules({
    architecture: "virtio-iommu",
    rootName: "Linux's struct viommu_domain",
    frameLimitName: "the physical address size",
    rights: dmaRights({
      readable: {
        field: "READ",
        name: "VIRTIO_IOMMU_MAP_F_READ",
        mask: READ,
        setWhenGranted: true,
      },
      writable: {
        field: "WRITE",
        name: "VIRTIO_IOMMU_MAP_F_WRITE",
        mask: WRITE,
        setWhenGranted: true,
      },
    }),
  }),
  noTables: {
    kind: "pagingOff",
    reason: "a virtio IOMMU's tables are QEMU's own, not in the guest's memory",
    next: "what Linux has mapped is listed: iommu.ts --device, deviceMappings()",
  },
};

/** Pages are counted in tables, as other listings are. */
const PAGES_OF_TABLE = 512;
/** After so many pages others get their turn: a guest may claim mappings of any length. */
const PAGES_AT_ONCE = 1 << 14;

/**
 * Lists what Linux has mapped, as a listing of tables does: runs of like pages, or each page. Pages are listed one
 * by one, or filtered, up to as many as `maxTables` tables hold.
 */
export async function* recordedMappings(
  mappings: readonly DmaMapping[],
  range: AddressRange,
  { contiguous = false, filter, maxTables = MAX_TABLES, pages = false, signal }: MappingsOptions,
): AsyncGenerator<MappingRecord, void> {
  const { start, last } = parseRange(range);
  const isByPage = pages || filter !== undefined;
  let run: Mapping | null = null;
  let count = 0;
  for (const mapping of mappings) {
    signal?.throwIfAborted();
    const span = spanIn(mapping, start, last);
    if (span === null) continue;
    const step = isByPage ? PAGE_BYTES : span.end - span.first;
    for (let at = span.first; at < span.end; at += step) {
      if (isByPage && count >= maxTables * PAGES_OF_TABLE) {
        if (run) yield run;
        const lengthBytes = Number(span.end - at);
        return yield { kind: "truncated", address: at, lengthBytes, tables: maxTables };
      }
      if (++count % PAGES_AT_ONCE === 0) {
        await new Promise((resolve) => setTimeout(resolve));
        signal?.throwIfAborted();
      }
      const next = recordOf(mapping, at, Number(step));
      if (filter && !filter(pageOf(next))) continue;
      const joined: Mapping | null = run && !pages ? join(run, next, contiguous) : null;
      if (run && joined === null) yield run;
      run = joined ?? next;
    }
  }
  if (run) yield run;
}

/** The part of a mapping that lies in a range, in whole pages as of a table; null if none does. */
function spanIn(
  { iova, lengthBytes }: DmaMapping,
  start: bigint,
  last: bigint,
): { first: bigint; end: bigint } | null {
  const end = iova + BigInt(lengthBytes);
  if (end <= start || iova > last) return null;
  const from = start > iova ? start : iova;
  const to = last < end - 1n ? last + 1n : end;
  return { first: from - from % PAGE_BYTES, end: to + (PAGE_BYTES - to % PAGE_BYTES) % PAGE_BYTES };
}

/** Two runs as one, if they are neighbours and alike. */
function join(run: Mapping, next: Mapping, contiguous: boolean): Mapping | null {
  const { effective, address, lengthBytes, physicalAddress } = run;
  const isNext = address + BigInt(lengthBytes) === next.address &&
    effective.readable === next.effective.readable &&
    effective.writable === next.effective.writable;
  const follows = physicalAddress !== null &&
    physicalAddress + BigInt(lengthBytes) === next.physicalAddress;
  if (!isNext || contiguous && !follows) return null;
  return {
    ...run,
    lengthBytes: lengthBytes + next.lengthBytes,
    pages: run.pages + next.pages,
    physicalAddress: follows ? physicalAddress : null,
  };
}

function recordOf(mapping: DmaMapping, address: bigint, lengthBytes: number): Mapping {
  const { iova, read: readable, write: writable } = mapping;
  const physicalAddress = mapping.physicalAddress + (address - iova);
  const rights = { user: false, writable, executable: false, readable };
  return {
    ...{ kind: "mapping", address, lengthBytes, physicalAddress },
    pageSizeBytes: Number(PAGE_BYTES),
    pages: Math.ceil(lengthBytes / Number(PAGE_BYTES)),
    leaf: { ...rights, global: false },
    effective: rights,
    decidedBy: { present: 1, user: 1, writable: 1, executable: 1, readable: 1 },
    cacheType: "",
    entry: entryOf(mapping),
  };
}

/** Stands for an entry where there is only Linux's record: its flags are the bits. */
function entryOf({ physicalAddress: frame, read, write }: DmaMapping): PageTableEntry {
  return {
    ...{ level: 1, name: "record", index: 0, address: 0n, kind: "page", frame },
    raw: frame | (read ? READ : 0n) | (write ? WRITE : 0n),
    flags: { readable: read, writable: write },
    ...{ hasRights: true, reservedBits: 0n },
  };
}

function pageOf(
  { address, decidedBy, effective, entry, leaf, lengthBytes, physicalAddress }: Mapping,
) {
  return {
    ...{ kind: "page" as const, address, lengthBytes, entry, effective, decidedBy },
    physicalAddress: physicalAddress!,
    leaf: { ...leaf, accessed: false, dirty: false },
  };
}
