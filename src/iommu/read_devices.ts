import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { amdviDevices } from "./amdvi/devices.ts";
import type { IommuDevices } from "./iommu_device.ts";
import { SteadyMemory } from "./steady_memory.ts";
import { vtdDevices } from "./vtd/devices.ts";

/** A kind of IOMMU whose tables are known. */
export type IommuKind = "vtd" | "amdvi";

/** How the tables of each kind are read, from the value of its root register on. */
const READERS: Readonly<
  Record<
    IommuKind,
    (memory: PhysicalMemory, root: bigint, options?: ReadOptions) => Promise<IommuDevices>
  >
> = { vtd: vtdDevices, amdvi: amdviDevices };

/** How often tables that change under the reading are read again. */
const MAX_ATTEMPTS = 3;

/**
 * Reads from an IOMMU's tables what becomes of which device's DMA. All of it is read twice, and must be the
 * same.
 *
 * @param root the value of the register that points to the first table: RTADDR, or the device table's base
 *
 * @example Usage
 * ```ts
 * import { readIommuDevices } from "@pagewalk/pagewalk/devices";
 * import { IommuTableBuilder, ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
 * builder.passThrough("00:03.0", { domain: 1 });
 * const { devices } = await readIommuDevices("vtd", memory, builder.root);
 * assertEquals(devices.map(({ device, state }) => `${device} ${state}`), ["00:03.0 passThrough"]);
 * ```
 */
export async function readIommuDevices(
  kind: IommuKind,
  memory: PhysicalMemory,
  root: bigint,
  options: ReadOptions = {},
): Promise<IommuDevices> {
  for (let attempt = 1;; attempt++) {
    const steady = new SteadyMemory(memory);
    const found = await READERS[kind](steady, root, options);
    if (await steady.stillTheSame(options)) return found;
    if (attempt < MAX_ATTEMPTS) continue;
    return { ...found, problems: [...found.problems, "the tables changed while they were read"] };
  }
}
