import type { PageTableEntry } from "../translate/entry.ts";
import {
  everyLevelGrants,
  type Right,
  type RightBit,
  type Rights,
  type RightsRule,
} from "../translate/rights.ts";

/** What a device may do by itself, before its tables are asked. */
export interface DeviceRights {
  /** It may read. */
  readonly readable: boolean;
  /** It may write. */
  readonly writable: boolean;
}

/** A device may do what its tables say. */
export const READ_AND_WRITE: DeviceRights = { readable: true, writable: true };

const NAMES: readonly Right[] = ["readable", "writable"];

/**
 * The rule of every IOMMU: a device may read or write a page if every level says so. There is neither
 * user code nor execution.
 *
 * @param bits the bits in which the two rights stand
 * @param device what the device's own entry leaves of them
 */
export function dmaRights(
  bits: Readonly<Partial<Record<Right, RightBit>>>,
  device: DeviceRights = READ_AND_WRITE,
): RightsRule {
  function of({ flags }: PageTableEntry): Rights {
    return {
      user: false,
      writable: flags.writable === true && device.writable,
      executable: false,
      readable: flags.readable === true && device.readable,
    };
  }
  const rule = everyLevelGrants(NAMES, of);
  return {
    ...rule,
    bits,
    settle(soFar, leafLevel) {
      const { effective: { readable = true, writable }, decidedBy } = rule.settle(soFar, leafLevel);
      return { effective: { user: false, writable, executable: false, readable }, decidedBy };
    },
    leafOf: (entry) => ({
      ...of(entry),
      accessed: entry.flags.accessed === true,
      dirty: entry.flags.dirty === true,
      global: false,
    }),
  };
}
