import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { type MappingRecord, mappings, type MappingsOptions } from "../translate/mappings.ts";
import type { IommuDevice } from "./iommu_device.ts";
import { recordedMappings } from "./virtio/recorded.ts";

/** Devices that reach the same: of one domain, or of one state where they have none. */
export interface DeviceGroup<D extends IommuDevice> {
  /** The devices, by their numbers. */
  readonly devices: readonly [D, ...D[]];
}

/**
 * Puts devices together that reach the same by the same tables. The number of a domain alone does not tell:
 * Linux gives all domains with first-level tables the same one.
 *
 * @example Usage
 * ```ts
 * import { deviceMappings, groupDevices, readIommuDevices } from "@pagewalk/pagewalk/devices";
 * import { IommuTableBuilder, ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
 * builder.map("00:03.0", 0x1000n, 0x5000n, 4096);
 * builder.share("00:04.0", "00:03.0");
 * const { devices } = await readIommuDevices("vtd", memory, builder.root);
 * for (const { devices: [first, ...others] } of groupDevices(devices)) {
 *   assertEquals(others.map(({ device }) => device), ["00:04.0"]);
 *   for await (const run of deviceMappings(memory, first)) assertEquals(run.address, 0x1000n);
 * }
 * ```
 */
export function groupDevices<D extends IommuDevice>(devices: readonly D[]): DeviceGroup<D>[] {
  const groups: [D, ...D[]][] = [];
  for (const device of devices) {
    const group = groups.find(([first]) => reachTheSame(first, device));
    if (group) group.push(device);
    else groups.push([device]);
  }
  return groups.map((devices) => ({ devices }));
}

function reachTheSame(one: IommuDevice, other: IommuDevice): boolean {
  const [a, b] = [one.regime, other.regime];
  return one.state === other.state && one.domain === other.domain && one.reason === other.reason &&
    a?.root === b?.root && a?.mode === b?.mode && a?.rules === b?.rules &&
    a?.stage2?.root === b?.stage2?.root && one.linuxDomain === other.linuxDomain;
}

/**
 * Lists what a device reaches, as runs of like pages in the order of its addresses. Each table is read again
 * before its records are passed on, since the guest may map and unmap meanwhile.
 *
 * @throws {InvalidArgumentError} if the range cannot be used
 *
 * @example Usage
 * ```ts
 * import { deviceMappings, groupDevices, readIommuDevices } from "@pagewalk/pagewalk/devices";
 * import { IommuTableBuilder, ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
 * builder.map("00:03.0", 0x1000n, 0x5000n, 4096);
 * builder.share("00:04.0", "00:03.0");
 * const { devices } = await readIommuDevices("vtd", memory, builder.root);
 * for (const { devices: [first, ...others] } of groupDevices(devices)) {
 *   assertEquals(others.map(({ device }) => device), ["00:04.0"]);
 *   for await (const run of deviceMappings(memory, first)) assertEquals(run.address, 0x1000n);
 * }
 * ```
 */
export async function* deviceMappings(
  memory: PhysicalMemory,
  { recorded, regime }: Pick<IommuDevice, "regime" | "recorded">,
  range: AddressRange = {},
  options: MappingsOptions = {},
): AsyncGenerator<MappingRecord, void> {
  if (recorded !== undefined) return yield* recordedMappings(recorded, range, options);
  if (regime === undefined) return;
  yield* mappings(memory, regime, range, { recheck: true, ...options });
}
