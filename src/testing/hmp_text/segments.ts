import { hex } from "./hex.ts";
import { type CpuState, isLongMode, runs64BitCode, SEGMENT_NAMES } from "./machine.ts";
import type { SegmentState } from "./machine.ts";

// Bits of a descriptor's second word: Intel SDM volume 3A, figure 3-8.
const ACCESSED = 1 << 8;
const WRITABLE_OR_READABLE = 1 << 9;
const EXPAND_DOWN_OR_CONFORMING = 1 << 10;
const CODE = 1 << 11;
const CODE_OR_DATA = 1 << 12;
const PRESENT = 1 << 15;
const LONG_CODE = 1 << 21;
const BIG = 1 << 22;

/** System descriptors by their type field (SDM table 3-2), outside and inside long mode. */
const SYSTEM_TYPES: Readonly<Record<number, readonly [string, string]>> = {
  1: ["TSS16-avl", "Reserved"],
  2: ["LDT", "LDT"],
  3: ["TSS16-busy", "Reserved"],
  9: ["TSS32-avl", "TSS64-avl"],
  11: ["TSS32-busy", "TSS64-busy"],
};

/** The segment lines of `info registers`: selector, base, limit, flags and what they mean. */
export function segmentLines(cpu: CpuState): string[] {
  const digits = runs64BitCode(cpu) ? 16 : 8;
  return SEGMENT_NAMES.map((name) => {
    const segment = cpu.segments[name];
    return `${name.padEnd(3)}=${hex(segment.selector, 4)} ${hex(segment.base, digits)}` +
      ` ${hex(segment.limit, 8)} ${hex(segment.flags, 8)}${meaning(cpu, segment)}`;
  });
}

function meaning(cpu: CpuState, { flags }: SegmentState): string {
  const protectedMode = (cpu.cr0 & 1n) === 1n;
  const has = (bit: number) => (flags & bit) !== 0;
  if (!protectedMode || !has(PRESENT)) return "";
  const privilege = ` DPL=${flags >> 13 & 3} `;
  if (!has(CODE_OR_DATA)) {
    const names = SYSTEM_TYPES[flags >> 8 & 0xf];
    return `${privilege}${names?.[isLongMode(cpu) ? 1 : 0] ?? "Reserved"}`;
  }
  if (has(CODE)) {
    const width = has(LONG_CODE) ? "CS64" : has(BIG) ? "CS32" : "CS16";
    const rights = (has(EXPAND_DOWN_OR_CONFORMING) ? "C" : "-") +
      (has(WRITABLE_OR_READABLE) ? "R" : "-") + (has(ACCESSED) ? "A" : "-");
    return `${privilege}${width} [${rights}]`;
  }
  const width = has(BIG) || isLongMode(cpu) ? "DS  " : "DS16";
  const rights = (has(EXPAND_DOWN_OR_CONFORMING) ? "E" : "-") +
    (has(WRITABLE_OR_READABLE) ? "W" : "-") + (has(ACCESSED) ? "A" : "-");
  return `${privilege}${width} [${rights}]`;
}
