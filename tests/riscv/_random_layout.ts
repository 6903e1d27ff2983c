/** Random page tables for bare guests, and the addresses that are asked for. */
import type { RiscvPageTables } from "../../src/testing/riscv_page_tables.ts";

/** A generator of numbers that every run repeats. */
export class Numbers {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed);
  }

  /** A number below a limit (Knuth's MMIX generator, its upper bits). */
  below(limit: bigint): bigint {
    let value = 0n;
    for (let bits = 0; bits < 64; bits += 32) {
      this.#state = BigInt.asUintN(64, this.#state * 6364136223846793005n + 1442695040888963407n);
      value = value << 32n | this.#state >> 32n;
    }
    return value % limit;
  }

  pick<T>(all: readonly T[]): T {
    return all[Number(this.below(BigInt(all.length)))]!;
  }
}

const ADDRESS_BITS = { Sv32: 32, Sv39: 39, Sv48: 48, Sv57: 57 } as const;

/** What `satp`'s tables of a mode have for addresses: sign-extended, but for Sv32. */
function extend(mode: keyof typeof ADDRESS_BITS, va: bigint): bigint {
  const bits = ADDRESS_BITS[mode];
  return mode === "Sv32" ? va : BigInt.asUintN(64, BigInt.asIntN(bits, va));
}

const LETTERS = [
  ...["VRAD", "VRWAD", "VRXA", "VRWXAD", "VRUA", "VRWUAD", "VRXUA", "VXA", "VXUAG"],
  ...["VRWGAD", "VR", "VRW", "VRWA", "VRWXUGAD"],
];

export interface LayoutOptions {
  /** Damaged entries, Svnapot pages, memory types: what `info mem` shows wrongly. */
  isWild: boolean;
  /** The most bits a page's address has. */
  frameBits?: number;
}

/** Maps some hundred random things and returns the addresses to ask for, most of them mapped. */
export function fillRandomly(
  tables: RiscvPageTables,
  numbers: Numbers,
  { isWild, frameBits }: LayoutOptions,
): bigint[] {
  const mode = tables.mode as keyof typeof ADDRESS_BITS;
  const isWide = mode !== "Sv32";
  const bits = BigInt(ADDRESS_BITS[mode]);
  const physicalBits = BigInt(frameBits ?? (isWide ? 56 : 34));
  const asked: bigint[] = [];
  for (let i = 0; i < 150; i++) {
    // Small pages first: a large one takes all addresses there.
    const wanted = i < 80 ? 0 : i < 120 ? 1 : numbers.pick([1, 2, 3, 4]);
    const level = Math.min(wanted, tables.levels - 1);
    const size = tables.pageBytes(level);
    // Few top entries, so that pages share tables; never that of the code.
    const top = numbers.pick([1n, 2n, 3n, 0x1fen, 0x1ffn]) << bits - 9n;
    const low = numbers.below(1n << bits - 9n);
    const near = numbers.pick([low, low & 0xff_ffffn, low & 0xffffn]);
    const va = extend(mode, (top | near) & ~(size - 1n));
    const pa = numbers.below(1n << physicalBits) & ~(size - 1n);
    const letters = numbers.pick(LETTERS);
    try {
      if (tables.entry(va, level) !== 0n) continue;
    } catch {
      continue; // a larger page is there already
    }
    const memoryType = isWild && isWide ? numbers.pick([0, 0, 1, 2]) : 0;
    const entry = { bits: letters, memoryType, software: numbers.pick([0, 1, 2, 3]) };
    if (isWild && isWide && level === 0 && numbers.below(4n) === 0n) {
      const start = va & ~0xffffn;
      const isFree = Array.from({ length: 16 }, (_, n) => tables.entry(start + BigInt(n << 12), 0))
        .every((raw) => raw === 0n);
      if (isFree) tables.mapNapot(start, pa & ~0xffffn, entry);
      else tables.map(va, pa, level, entry);
    } else tables.map(va, pa, level, entry);
    const offsets = [0n, size - 1n, numbers.below(size), numbers.below(size)];
    asked.push(...offsets.map((offset) => va + offset), extend(mode, va ^ size));
    if (isWild && numbers.below(4n) === 0n) damage(tables, va, level, numbers);
  }
  for (let i = 0; i < 20; i++) asked.push(extend(mode, numbers.below(1n << bits)));
  if (isWide) {
    for (let i = 0; i < 10; i++) asked.push(numbers.pick(asked) ^ 1n << bits);
  }
  return [...new Set(asked)];
}

/** What the specification forbids, and what is simply not there. */
function damage(tables: RiscvPageTables, va: bigint, level: number, numbers: Numbers): void {
  const raw = tables.entry(va, level);
  const isWide = tables.mode !== "Sv32";
  const kinds = [
    raw & ~1n, // not valid
    (raw | 4n) & ~2n, // W without R
    (raw & ~0xen) | 1n, // a pointer at the last level, or one with A, D or U
    ...level > 0 ? [raw | 1n << 10n] : [], // misaligned
    ...isWide ? [raw | 1n << 54n, raw | 1n << 58n, raw | 3n << 61n] : [],
    ...isWide ? [raw & ~(0xfn << 10n) | 1n << 63n, raw & ~(0xfn << 10n) | 9n << 63n] : [],
  ];
  const bits = isWide ? 64 : 32;
  let wanted = BigInt.asUintN(bits, numbers.pick(kinds));
  // A pointer that is valid would lead anywhere, and QEMU would read there.
  if (level > 0 && (wanted & 0xfn) === 1n) wanted |= 0x40n;
  tables.put(va, level, wanted);
}
