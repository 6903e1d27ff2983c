/**
 * What a guest's devices can reach: IOMMUs, their domains and pages, and the frames of memory with those
 * who map them. {@linkcode GuestIommu} is what a session's `iommu()` returns.
 *
 * @example A device's number, as lspci writes it
 * ```ts
 * import { parseDeviceId } from "@pagewalk/pagewalk/devices";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDeviceId("00:03.0"), 0x18); // bus 0, device 3, function 0
 * ```
 *
 * @module
 */
export { type DmaAccess, dmaAccess, type DmaVerdict } from "../iommu/access.ts";
export { formatDeviceId, parseDeviceId } from "../iommu/device_id.ts";
export type { FrameOwner, FrameOwners, TableOwner } from "../linux/frame_owners.ts";
export {
  type FrameReport,
  type FrameSource,
  readFrameReport,
  readFrameState,
} from "../linux/frame_report.ts";
export type { FrameState, FrameUse } from "../linux/frames.ts";
export type { DmaDevices } from "../vfio/verify_dma.ts";
export type { DmaMapping, DmaState, IommuDevice, IommuDevices } from "../iommu/iommu_device.ts";
export { type DeviceGroup, deviceMappings, groupDevices } from "../iommu/reach.ts";
export { type IommuKind, readIommuDevices } from "../iommu/read_devices.ts";
export type { LinuxIommuUnit } from "../linux/iommu_units.ts";
export {
  type IommuRegion,
  type IommuRoot,
  readIommuRoots,
} from "../monitor/commands/read_iommu_root.ts";
export {
  type GuestDevice,
  type GuestDevices,
  GuestIommu,
  type GuestIommuParts,
  type IommuUnit,
} from "../session/guest_iommu.ts";
export { auditDmaReach, type DmaReach, type DmaRun, type GuardedMemory } from "../audit/dma.ts";
export { DMA_RULES, type DmaRuleName } from "../audit/dma_rules.ts";
export type { DmaAuditOptions } from "../session/dma_audit_source.ts";
