import type { PagingModeName } from "../../src/arch/x86/paging_context.ts";
import type { ListedPage } from "../../src/translate/listing_records.ts";

/**
 * The row that `info tlb` prints for a page. In the 32-bit modes QEMU's frame is the entry with only
 * its low bits masked: PSE-36's upper bits are missing, and NX shows as bit 63 (FACTS of 5.2 to 11.1).
 */
export function tlbRowOf(page: ListedPage, mode: PagingModeName): string {
  const { flags, raw } = page.entry;
  const frame = mode === "32-bit"
    ? page.physicalAddress & 0xffff_ffffn
    : mode === "pae"
    ? page.physicalAddress | (raw & (1n << 63n))
    : page.physicalAddress;
  const letters = [
    flags.executeDisable ? "X" : "-",
    flags.global ? "G" : "-",
    page.lengthBytes === 4096 ? "-" : "P",
    flags.dirty ? "D" : "-",
    flags.accessed ? "A" : "-",
    flags.cacheDisable ? "C" : "-",
    flags.writeThrough ? "T" : "-",
    flags.user ? "U" : "-",
    flags.writable ? "W" : "-",
  ].join("");
  return `${hex16(page.address)}: ${hex16(frame)} ${letters}`;
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}
