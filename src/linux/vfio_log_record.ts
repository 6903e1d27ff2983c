/** The entries that a log tells of one clearing. */
export interface VfioLogEntry {
  /** The entry before, from the `Clearing` record. */
  readonly oldEntry?: bigint;
  /** The entry after, from the `Successfully cleared` record; absent if the log has none. */
  readonly newEntry?: bigint;
}

/** What the kernel's log says about one page whose `_PAGE_USER` bit was cleared. */
export interface VfioLogRecord extends VfioLogEntry {
  /** The virtual address, in the process that mapped it for DMA; null if the record cannot be read. */
  readonly address: bigint | null;
  /** Nanoseconds since boot of the last record of the address, where the log tells. */
  readonly timeNs?: bigint;
  /** Earlier clearings of the same address that left another entry, the oldest first. */
  readonly earlier?: readonly VfioLogEntry[];
  /** Why no page can be judged by it: it cannot be read, or what it says contradicts itself. */
  readonly problem?: string;
}
