import { BOOLEAN, checkOptions, type OptionShape } from "../core/options.ts";
import { describeFault } from "../translate/address_space.ts";
import { entryNameOf } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";

/** An access of a device to an address of its own (an IOVA). */
export interface DmaAccess {
  /** A write. @default {false} */
  readonly write?: boolean;
}

/** What comes of a device's access. */
export type DmaVerdict =
  /** It reaches this guest-physical address. */
  | { readonly outcome: "ok"; readonly physicalAddress: bigint }
  /** The IOMMU blocks it. */
  | { readonly outcome: "blocked"; readonly reason: string }
  /** The tables could not be read, or changed meanwhile. */
  | { readonly outcome: "unknown"; readonly reason: string };

const DMA_SHAPE: OptionShape<DmaAccess> = { write: BOOLEAN };

/**
 * Says what comes of a device's access to a walked address, by the IOMMU's tables. Pure: nothing is read.
 *
 * @throws {InvalidArgumentError} if the access has keys that a device's does not have
 *
 * @example Usage
 * ```ts
 * import { walk } from "@pagewalk/pagewalk";
 * import { dmaAccess, readIommuDevices } from "@pagewalk/pagewalk/devices";
 * import { IommuTableBuilder, ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
 * builder.map("00:03.0", 0x1000n, 0x5000n, 4096, { read: true, write: false });
 * const { devices: [device] } = await readIommuDevices("vtd", memory, builder.root);
 * const found = await walk(memory, device!.regime!, 0x1000n);
 * assertEquals(dmaAccess(found, { write: true }).outcome, "blocked");
 * ```
 */
export function dmaAccess(found: Walk, wanted: DmaAccess = {}): DmaVerdict {
  checkOptions(wanted, "a device's access", DMA_SHAPE, { read: "no key: an access reads" });
  if (found.changedDuringWalk) {
    return { outcome: "unknown", reason: "the guest changed these tables while they were read" };
  }
  if (found.outcome !== "mapped") {
    const isKnown = found.outcome !== "unreadable" && found.outcome !== "noTables";
    return { outcome: isKnown ? "blocked" : "unknown", reason: describeFault(found) };
  }
  const right = wanted.write ? "writable" : "readable";
  if (found.effective[right] !== false) {
    return { outcome: "ok", physicalAddress: found.physicalAddress };
  }
  const decider = entryNameOf(found.regime, found.decidedBy[right] ?? found.decidedBy.present);
  const verb = wanted.write ? "write" : "read";
  return { outcome: "blocked", reason: `the device may not ${verb} there (${decider} decides)` };
}
