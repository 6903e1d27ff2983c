import type { IommuDevice } from "../iommu_device.ts";
import { secondLevelRegime } from "./second_level.ts";

/** What an entry says of a device, but for which device it is. */
export type DeviceEntry = Omit<IommuDevice, "device" | "requesterId">;

const ADDRESS = 0x000f_ffff_ffff_f000n;
/** Translation types: 0 and 1 translate, the latter with a TLB in the device; 2 passes through. */
const PASS_THROUGH = 2;
const RESERVED_TYPE = 3;

/** Reads a present context entry of legacy mode (Intel VT-d specification, 9.3). */
export function legacyContext(low: bigint, high: bigint): DeviceEntry {
  const type = Number(low >> 2n & 3n);
  const domain = Number(high >> 8n & 0xffffn);
  if (type === PASS_THROUGH) return { state: "passThrough", domain };
  if (type === RESERVED_TYPE) {
    return { state: "blocked", domain, reason: "its context entry's translation type is reserved" };
  }
  return translatedBySecondLevel(low & ADDRESS, Number(high & 7n), domain);
}

/** A device whose second-level tables have so many levels as an entry's AW field says. */
export function translatedBySecondLevel(root: bigint, width: number, domain: number): DeviceEntry {
  // AW counts from 2 levels (30 bits), which no unit has.
  const regime = secondLevelRegime(root, width + 2);
  if (regime !== null) return { state: "translated", domain, regime };
  return {
    state: "blocked",
    domain,
    reason: `its entry's address width (AW=${width}) is reserved`,
  };
}
