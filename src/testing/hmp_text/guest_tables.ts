import { hex } from "./hex.ts";
import { type CpuState, type HmpMachine, isLongMode } from "./machine.ts";
import { littleEndian } from "./memory_dump.ts";

// The guest's page tables as QEMU's monitor reads them for `info tlb`, `gva2gpa` and `x`, quirks
// included (target/i386/monitor.c and helper.c; compared with QEMU 7.2). Neither the walker nor the
// page-table builder takes part, so that either can be compared with it.

/** One level of a mode's tables. */
interface Level {
  /** The lowest bit of the virtual address that indexes this level. */
  shift: bigint;
  /** The number of entries. */
  entries: bigint;
  /** What `info tlb` keeps of a large page's entry; absent where there are no large pages. */
  large?: bigint;
}

interface Tables {
  root: bigint;
  entryBytes: 4 | 8;
  levels: readonly Level[];
  /** What `info tlb` keeps of a 4 KiB page's entry. */
  small: bigint;
  /** How many bits of an address are translated, the rest being the sign's; 0 for all. */
  signedBits: number;
}

const PRESENT = 1n;
const PAGE_SIZE = 1n << 7n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const U64 = (1n << 64n) - 1n;
const PAGE_MASK = 0xfffn;

// The masks are those of monitor.c: they keep more or less than the architecture does.
const LONG_LEVELS: readonly Level[] = [
  { shift: 39n, entries: 512n },
  { shift: 30n, entries: 512n, large: 0x3_ffff_c000_0000n },
  { shift: 21n, entries: 512n, large: 0x3_ffff_ffe0_0000n },
  { shift: 12n, entries: 512n },
];
const PAE_LEVELS: readonly Level[] = [
  { shift: 30n, entries: 4n },
  { shift: 21n, entries: 512n, large: U64 ^ 0xf_ffffn },
  { shift: 12n, entries: 512n },
];

function tablesOf(cpu: CpuState): Tables | null {
  const bit = (register: bigint, number: bigint) => (register >> number & 1n) === 1n;
  if (!bit(cpu.cr0, 31n)) return null;
  if (!bit(cpu.cr4, 5n)) {
    const large = bit(cpu.cr4, 4n) ? { large: U64 ^ 0x1f_ffffn } : {};
    return {
      root: cpu.cr3 & 0xffff_f000n,
      entryBytes: 4,
      levels: [{ shift: 22n, entries: 1024n, ...large }, { shift: 12n, entries: 1024n }],
      small: U64 ^ PAGE_MASK,
      signedBits: 0,
    };
  }
  if (!isLongMode(cpu)) {
    const root = cpu.cr3 & 0xffff_ffe0n;
    return { root, entryBytes: 8, levels: PAE_LEVELS, small: U64 ^ PAGE_MASK, signedBits: 0 };
  }
  const fiveLevels = bit(cpu.cr4, 12n);
  return {
    root: cpu.cr3 & ADDRESS,
    entryBytes: 8,
    levels: fiveLevels ? [{ shift: 48n, entries: 512n }, ...LONG_LEVELS] : LONG_LEVELS,
    small: 0x3_ffff_ffff_f000n,
    signedBits: fiveLevels ? 57 : 48,
  };
}

/** `info tlb`: one row a present leaf, with the leaf's own flags. */
export function tlbText(machine: HmpMachine, cpu: CpuState): string {
  const tables = tablesOf(cpu);
  if (tables === null) return "PG disabled\n";
  let text = "";
  for (const row of tlbRows(machine, tables, tables.root, 0, 0n)) text += row;
  return text;
}

function* tlbRows(
  machine: HmpMachine,
  tables: Tables,
  table: bigint,
  depth: number,
  base: bigint,
): Generator<string> {
  const level = tables.levels[depth]!;
  const bytes = machine.readBus(table, Number(level.entries) * tables.entryBytes);
  if (bytes === null) return;
  for (let index = 0n; index < level.entries; index++) {
    const at = Number(index) * tables.entryBytes;
    if ((bytes[at]! & 1) === 0) continue;
    const entry = littleEndian(bytes.subarray(at, at + tables.entryBytes));
    const address = base + (index << level.shift);
    if (level.large !== undefined && (entry & PAGE_SIZE) !== 0n) {
      yield tlbRow(tables, address, entry, level.large);
    } else if (depth + 1 === tables.levels.length) {
      // Bit 7 of a 4 KiB entry is PAT, so it is not shown as a large page.
      yield tlbRow(tables, address, entry & ~PAGE_SIZE, tables.small);
    } else {
      yield* tlbRows(machine, tables, entry & ADDRESS, depth + 1, address);
    }
  }
}

// NX, G, PS, D, A, PCD, PWT, U/S, R/W.
const TLB_FLAGS: readonly [string, bigint][] = [
  ["X", 63n],
  ["G", 8n],
  ["P", 7n],
  ["D", 6n],
  ["A", 5n],
  ["C", 4n],
  ["T", 3n],
  ["U", 2n],
  ["W", 1n],
];

function tlbRow({ signedBits }: Tables, address: bigint, entry: bigint, mask: bigint): string {
  const canonical = signedBits === 0
    ? address
    : BigInt.asUintN(64, BigInt.asIntN(signedBits, address));
  const flags = TLB_FLAGS.map(([letter, bit]) => ((entry >> bit & 1n) === 1n ? letter : "-"));
  return `${hex(canonical, 16)}: ${hex(entry & mask, 16)} ${flags.join("")}\n`;
}

/** Translates an address as `gva2gpa` does: rights do not matter; null if it is not mapped. */
export function translate(machine: HmpMachine, cpu: CpuState, address: bigint): bigint | null {
  const tables = tablesOf(cpu);
  if (tables === null) return address & (ADDRESS | PAGE_MASK);
  const { signedBits } = tables;
  if (signedBits > 0 && BigInt.asUintN(64, BigInt.asIntN(signedBits, address)) !== address) {
    return null;
  }
  let table = tables.root;
  for (const [depth, level] of tables.levels.entries()) {
    const index = address >> level.shift & (level.entries - 1n);
    const at = table + index * BigInt(tables.entryBytes);
    // A table outside RAM reads as zeros here, that is as not present.
    const entry = littleEndian(machine.readBus(at, tables.entryBytes) ?? new Uint8Array());
    if ((entry & PRESENT) === 0n) return null;
    const isLarge = level.large !== undefined && (entry & PAGE_SIZE) !== 0n;
    if (isLarge || depth + 1 === tables.levels.length) {
      const offset = address & ((1n << level.shift) - 1n);
      return frameOf(entry, level.shift, isLarge && tables.entryBytes === 4) | offset;
    }
    table = entry & ADDRESS;
  }
  return null;
}

function frameOf(entry: bigint, shift: bigint, isPse36: boolean): bigint {
  const frame = entry & ADDRESS & ~((1n << shift) - 1n);
  // Bits 13 to 20 of a 4 MiB page's entry are bits 32 to 39 of its address.
  return isPse36 ? frame | (entry >> 13n & 0xffn) << 32n : frame;
}
