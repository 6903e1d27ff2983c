import type { ExpectedLeaf } from "../../src/testing/expected_translation.ts";

/**
 * Returns the row that `info tlb` prints for a leaf: QEMU 5.2 to 11.1, target/i386/monitor.c. Flags
 * are the leaf's own; in the 32-bit modes the frame is the entry with only its low bits masked, so
 * PSE-36's upper address bits are lost and NX shows as bit 63 of the frame.
 */
export function tlbRow({ va, pa, mode, raw, size, leaf }: ExpectedLeaf): string {
  const frame = mode === "32-bit" ? pa & 0xffff_ffffn : mode === "pae" ? pa | (raw & NX) : pa;
  const flags = [
    leaf.noExecute ? "X" : "-",
    leaf.global ? "G" : "-",
    size === "4K" ? "-" : "P",
    leaf.dirty ? "D" : "-",
    leaf.accessed ? "A" : "-",
    leaf.pcd ? "C" : "-",
    leaf.pwt ? "T" : "-",
    leaf.user ? "U" : "-",
    leaf.writable ? "W" : "-",
  ].join("");
  return `${hex16(va)}: ${hex16(frame)} ${flags}`;
}

const NX = 1n << 63n;

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}
