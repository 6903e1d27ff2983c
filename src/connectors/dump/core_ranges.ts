import type { MemoryRange } from "../../memory/physical_memory.ts";
import type { ElfSegment } from "./elf_core.ts";
import { DumpFormatError } from "./errors.ts";

/**
 * Turns the segments of a core into ranges of memory in address order. With `-p` QEMU writes one
 * segment for each run of virtual addresses, so that several may hold the same memory, and memory that
 * no vCPU maps is in the file without a segment. QEMU lays all RAM blocks into the file in address
 * order without gaps (`dump_iterate`), so where two segments lie equally far from their place in the
 * file, what is between them is in the file too.
 *
 * @throws {DumpFormatError} if segments contradict each other, or reach past the end of the file
 */
export function coreRanges(
  segments: readonly ElfSegment[],
  file: { path: string; lengthBytes: number },
): MemoryRange[] {
  const { path } = file;
  const ranges: MemoryRange[] = [];
  const sorted = segments.filter(({ fileBytes }) => fileBytes > 0n)
    .sort((a, b) => compare(a.physicalAddress, b.physicalAddress));
  for (const { physicalAddress: start, fileBytes, offset } of sorted) {
    const end = start + fileBytes;
    if (end > 1n << 64n) {
      throw new DumpFormatError(
        path,
        `its segment at 0x${start.toString(16)} reaches past 64 bits`,
      );
    }
    if (offset + fileBytes > BigInt(file.lengthBytes)) {
      throw new DumpFormatError(
        path,
        `it is cut short: ${file.lengthBytes} bytes, of at least ${offset + fileBytes}; was the ` +
          "disk full? Dump the guest again",
      );
    }
    const last = ranges.at(-1);
    if (last && offset - start === last.offset - last.start) {
      if (end > last.end) last.end = end;
    } else if (last && start < last.end) {
      throw new DumpFormatError(path, `it holds 0x${start.toString(16)} twice, in two places`);
    } else {
      ranges.push({ start, end, kind: "ram", name: "dump", offset });
    }
  }
  if (ranges.length === 0) throw new DumpFormatError(path, "there is no guest memory in it");
  return ranges;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
