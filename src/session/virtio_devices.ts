import { formatDeviceId } from "../iommu/device_id.ts";
import type { IommuDevice } from "../iommu/iommu_device.ts";
import { VIRTIO_REGIME } from "../iommu/virtio/recorded.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import { readVirtioIommu, type VirtioIommuDevice } from "../linux/virtio_iommu.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";

/** The devices behind a guest's virtio IOMMU, by Linux's records. */
export async function virtioDevices(
  linux: LinuxGuest,
  options: ReadOptions,
): Promise<{ devices: readonly IommuDevice[]; problems: readonly string[] }> {
  const found = await readVirtioIommu(linux, options);
  const problems = found.length > 0
    ? []
    : ["Linux drives no device by its virtio IOMMU: what devices reach is not known"];
  return { devices: found.map(virtioDevice), problems };
}

/** One device; what it reaches is what Linux has mapped for it. */
function virtioDevice({ domain, requesterId }: VirtioIommuDevice): IommuDevice {
  const common = { device: formatDeviceId(requesterId), requesterId };
  if (domain === null) {
    const reason = "Linux has attached it to no domain: the IOMMU's setting decides (boot-bypass)";
    return { ...common, state: "unknown", domain: null, reason };
  }
  const { address: linuxDomain, id, mappings: recorded, passesThrough } = domain;
  if (passesThrough) return { ...common, state: "passThrough", domain: id };
  const regime = VIRTIO_REGIME;
  return { ...common, state: "translated", domain: id, regime, recorded, linuxDomain };
}
