import type { Regime } from "../translate/regime.ts";

/** What becomes of a device's DMA. */
export type DmaState =
  /** Its addresses are translated by the tables of its domain. */
  | "translated"
  /** Its addresses are guest-physical ones: it reaches all of memory. */
  | "passThrough"
  /** None of it gets through. */
  | "blocked"
  /** Not known: a table on the way could not be read, or changed while it was read. */
  | "unknown";

/** A range of a device's addresses, one after the other on both sides. */
export interface DmaMapping {
  /** The first address on the device's side. */
  readonly iova: bigint;
  /** The first guest-physical address. */
  readonly physicalAddress: bigint;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** May the device read it? */
  readonly read: boolean;
  /** May it write it? */
  readonly write: boolean;
}

/** A device behind an IOMMU, as the IOMMU's own tables have it. */
export interface IommuDevice {
  /** The device: bus, device and function, such as `00:03.0`. */
  readonly device: string;
  /** The same as a requester id: bus in bits 15:8, device 7:3, function 2:0. */
  readonly requesterId: number;
  /** What becomes of its DMA. */
  readonly state: DmaState;
  /** The number of its domain. Devices of one domain reach the same; null where there is none. */
  readonly domain: number | null;
  /** If it is translated: its tables. */
  readonly regime?: Regime;
  /**
   * What it reaches by Linux's own records, where the IOMMU's tables are not in the guest's memory (virtio). The
   * regime then has no tables and says why.
   */
  readonly recorded?: readonly DmaMapping[];
  /** With that: the virtual address of Linux's `struct iommu_domain`. */
  readonly linuxDomain?: bigint;
  /** Why, where the state alone does not tell. */
  readonly reason?: string;
}

/** What the tables of an IOMMU say of devices. */
export interface IommuDevices {
  /** Those that have an entry, by their numbers. */
  readonly devices: readonly IommuDevice[];
  /** What could not be read or does not make sense, in a sentence each: what hangs on it is not known. */
  readonly problems: readonly string[];
}
