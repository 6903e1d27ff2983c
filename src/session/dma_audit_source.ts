import type { AuditOptions } from "../audit/audit.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { GuestIommu } from "./guest_iommu.ts";

/** Options of an audit of what devices reach. */
export interface DmaAuditOptions
  extends Pick<AuditOptions, "signal" | "onProgress" | "maxTables" | "maxFindings"> {}

/** What an audit of DMA takes of a session. */
export interface DmaAuditSource {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The Linux that it runs. */
  linux(): Promise<LinuxGuest>;
  /** Its IOMMUs. */
  iommu(): Promise<GuestIommu>;
}
