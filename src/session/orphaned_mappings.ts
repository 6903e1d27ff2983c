import type { ReadOptions } from "../memory/physical_memory.ts";
import { isUnknown } from "./_unknown.ts";
import type { DmaAuditSource } from "./dma_audit_source.ts";

/** What a container maps of a process that is gone. */
export interface OrphanedMapping {
  /** The IOMMU's top table in which it stands, or the virtual address of Linux's `struct iommu_domain`. */
  readonly root: bigint;
  /** The first address on the device's side. */
  readonly iova: bigint;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** The process that it was of. */
  readonly pid: number;
}

/** What is known of the containers of all processes. */
export interface KnownContainers {
  /** What they map of processes that are gone. */
  readonly orphans: readonly OrphanedMapping[];
  /** The IOMMU's top tables that they use, and Linux's domains. */
  readonly roots: ReadonlySet<bigint>;
  /** What could not be read, in a sentence each. */
  readonly unread: readonly string[];
}

/** Reads the VFIO containers of all processes; a guest without Linux has none. */
export async function orphanedMappings(
  session: DmaAuditSource,
  options: ReadOptions,
): Promise<KnownContainers> {
  const orphans = new Map<string, OrphanedMapping>();
  const roots = new Set<bigint>();
  const unread: string[] = [];
  try {
    const linux = await session.linux();
    for (const process of await linux.processes(options)) {
      if (process.root === null) continue;
      try {
        const containers = await linux.vfioContainers(process, options);
        for (const { domains, mappings, tables } of containers) {
          if (tables === null && domains.length === 0 && mappings.length > 0) {
            unread.push(`pid ${process.pid} ${process.comm}: the IOMMU's tables of its container`);
          }
          for (const root of [...tables ?? [], ...domains]) {
            roots.add(root);
            for (const { iova, lengthBytes, owner: { kind, pid } } of mappings) {
              if (kind !== "ended" && kind !== "formerProgram") continue;
              orphans.set(`${root} ${iova}`, { root, iova, lengthBytes, pid });
            }
          }
        }
      } catch (error) {
        // A process may end meanwhile.
        if (!isUnknown(error)) throw error;
        if (error.name !== "NoSuchProcessError") {
          unread.push(`pid ${process.pid} ${process.comm}: ${error.message}`);
        }
      }
    }
  } catch (error) {
    if (!isUnknown(error)) throw error;
    unread.push(`Which devices VFIO has is not known: ${error.message}`);
  }
  return { orphans: [...orphans.values()], roots, unread };
}
