import type { RegimeRules } from "../translate/regime.ts";
import type { RightsRule } from "../translate/rights.ts";

/** What the IOMMUs' regimes differ in. */
export interface IommuRules {
  /** The kind of IOMMU, such as `vtd`. */
  readonly architecture: string;
  /** What its documents call the field that points to the top table. */
  readonly rootName: string;
  /** How rights come about. */
  readonly rights: RightsRule;
  /** What its documents call the number of a physical address's bits. */
  readonly frameLimitName: string;
}

const PAGE_MASK = 0x000f_ffff_ffff_f000n;

/** What is true of every IOMMU: no kernel's part, no cache types, and nothing swapped out. */
export function iommuRules(own: IommuRules): RegimeRules {
  return {
    ...own,
    noTables: { kind: "pagingOff", reason: "the device's DMA is not translated" },
    kernel: { start: 1n << 64n, sharedWithUser: [] },
    addressName: "IOVA",
    cacheTypes: [""],
    // A device may reach another's memory: a frame outside RAM says nothing.
    deviceCacheTypes: [""],
    cacheIndexOf: () => 0,
    rootAddress: (value) => value & PAGE_MASK,
    reservedCauses: ({ reservedBits }) => reservedBits ? ["bits that must be 0 are set"] : [],
    absentContent: () => ({ kind: "empty" }),
  };
}
