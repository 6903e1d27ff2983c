import type { MemoryRange } from "../memory/physical_memory.ts";

/** A run of guest-physical addresses. */
export interface PhysicalSpan {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last one. */
  readonly end: bigint;
}

/** Video memory and ROMs of a PC: no RAM, but Linux maps them with the RAM around them. */
const ISA_HOLE: PhysicalSpan = { start: 0xa_0000n, end: 0x10_0000n };

/**
 * Finds the pages of a run that hold no RAM or ROM at all. A large page that reaches over a hole has
 * some, and is left out.
 */
export function* pagesOutsideRam(
  ranges: readonly MemoryRange[],
  run: PhysicalSpan,
  pageBytes: bigint,
): Generator<PhysicalSpan> {
  for (const gap of gaps(ranges, run)) {
    const start = run.start + roundUp(gap.start - run.start, pageBytes);
    const end = gap.end - (gap.end - run.start) % pageBytes;
    const isIsa = start >= ISA_HOLE.start && end <= ISA_HOLE.end;
    if (start < end && !isIsa) yield { start, end };
  }
}

/** The parts of a span that no range backs. Ranges are in address order. */
function* gaps(ranges: readonly MemoryRange[], span: PhysicalSpan): Generator<PhysicalSpan> {
  let at = span.start;
  for (const range of ranges) {
    if (range.end <= at) continue;
    if (range.start >= span.end) break;
    if (range.start > at) yield { start: at, end: range.start };
    at = range.end;
  }
  if (at < span.end) yield { start: at, end: span.end };
}

function roundUp(value: bigint, multiple: bigint): bigint {
  return (value + multiple - 1n) / multiple * multiple;
}
