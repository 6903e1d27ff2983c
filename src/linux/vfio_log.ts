/** What the kernel's log says about one page whose `_PAGE_USER` bit was cleared. */
export interface VfioLogRecord {
  /** The virtual address, in the process that mapped it for DMA. */
  readonly address: bigint;
  /** The entry before, from the `Clearing` line. */
  readonly oldEntry?: bigint;
  /** The entry after, from the `Successfully cleared` line; absent if the log has none. */
  readonly newEntry?: bigint;
}

// The lines of the patch under test. What stands before them differs: nothing, `[   12.345678]`,
// `<6>[…]`, a caller, or a journal's date and host name.
const LINE = /VFIO: (Clearing|Successfully cleared) _PAGE_USER\b[^\n]*?\b(0x[0-9a-f]+)([^\n]*)/gi;
const ENTRY = /PTE:?\s*(0x[0-9a-f]+)/i;

/**
 * Takes every page out of a kernel log that says `VFIO: Clearing _PAGE_USER` or `VFIO: Successfully
 * cleared _PAGE_USER`: one record for an address, in the order in which they first appear. Where the
 * same address was cleared again, the record is that of the last time.
 *
 * @example Usage
 * ```ts
 * import { parseVfioLog } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const log = "[ 2.5] VFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x863";
 * assertEquals(parseVfioLog(log), [{ address: 0x7f1234567000n, newEntry: 0x863n }]);
 * ```
 */
export function parseVfioLog(text: string): VfioLogRecord[] {
  const records = new Map<bigint, VfioLogRecord>();
  for (const [, verb, addressText, rest] of text.matchAll(LINE)) {
    const address = BigInt(addressText!);
    const entryText = rest!.match(ENTRY)?.[1];
    const entry = entryText === undefined ? undefined : BigInt(entryText);
    const known = records.get(address);
    if (verb!.toLowerCase() === "clearing") {
      records.set(address, { address, ...entry !== undefined && { oldEntry: entry } });
    } else {
      records.set(address, { ...known, address, ...entry !== undefined && { newEntry: entry } });
    }
  }
  return [...records.values()];
}
