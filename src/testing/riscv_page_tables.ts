import { formatAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { SparseMemory } from "./sparse_memory.ts";

/** RISC-V's translation modes; `x4` are the second stage's. */
export type RiscvTableMode =
  | "Sv32"
  | "Sv39"
  | "Sv48"
  | "Sv57"
  | "Sv32x4"
  | "Sv39x4"
  | "Sv48x4"
  | "Sv57x4";

/** What an entry that maps a page says, by the specification's letters. */
export interface RiscvEntryBits {
  /** Which of V, R, W, X, U, G, A, D are set, such as `VRWAD`. */
  bits: string;
  /** PBMT, 0 to 3. @default {0} */
  memoryType?: number;
  /** RSW in bits 9 and 8. @default {0} */
  software?: number;
  /** RSW in bits 60 and 59 (Svrsw60t59b). @default {0} */
  highSoftware?: number;
}

/** What must be found at an address. */
export type RiscvExpected =
  | {
    /** It is mapped. */
    outcome: "mapped";
    /** Where to. */
    physicalAddress: bigint;
    /** The size of the page. */
    pageSizeBytes: number;
    /** The entry that maps it. */
    raw: bigint;
  }
  /** An access raises a page fault, at the entry of this level; null if the address is none. */
  | { outcome: "fault"; level: number | null };

/** A page that the tables map, as `info mem` has it: with the table that holds its entry. */
export interface RiscvLeaf {
  /** The first virtual address. */
  address: bigint;
  /** The physical address. */
  physicalAddress: bigint;
  /** How many bytes its entry covers. */
  lengthBytes: bigint;
  /** The entry. */
  raw: bigint;
  /** The address of the table that holds the entry. */
  table: bigint;
}

const LETTERS = "VRWXUGAD";
const [V, R, W, X, U, , A, D] = Array.from(LETTERS, (_, i) => 1n << BigInt(i)) as bigint[];
const N = 1n << 63n;

/** Levels, index bits of a level, index bits of the top level, bytes of an entry: tables 10.1 ff. */
const SHAPES: Record<RiscvTableMode, [levels: number, bits: number, top: number, entry: 4 | 8]> = {
  Sv32: [2, 10, 10, 4],
  Sv39: [3, 9, 9, 8],
  Sv48: [4, 9, 9, 8],
  Sv57: [5, 9, 9, 8],
  Sv32x4: [2, 10, 12, 4],
  Sv39x4: [3, 9, 11, 8],
  Sv48x4: [4, 9, 11, 8],
  Sv57x4: [5, 9, 11, 8],
};

/**
 * Builds RISC-V page tables in memory and says what a hart must make of them. It is written from the
 * privileged architecture's text alone (4.3.2, the translation algorithm) and shares no code with the
 * walker, so that the two can be held against each other.
 *
 * @example Usage
 * ```ts
 * import { ramRange, RiscvPageTables, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
 * const tables = new RiscvPageTables("Sv39", memory, 0x8010_0000n);
 * tables.map(0x1000n, 0x8080_0000n, 0, { bits: "VRWUAD" });
 * assertEquals(tables.expect(0x1008n).outcome, "mapped");
 * ```
 */
export class RiscvPageTables {
  /** The mode of the tables. */
  readonly mode: RiscvTableMode;
  /** The memory that holds them. */
  readonly memory: SparseMemory;
  /** The physical address of the top table. */
  readonly root: bigint;
  /** How many levels there are; the top one has the highest number. */
  readonly levels: number;
  #next: bigint;

  /**
   * Lays out an empty top table.
   *
   * @throws {InvalidArgumentError} if a table cannot be there
   */
  constructor(mode: RiscvTableMode, memory: SparseMemory, tablesAt: bigint) {
    const [levels, , top, entry] = SHAPES[mode];
    const bytes = BigInt(entry << top);
    if (tablesAt % bytes !== 0n) {
      throw new InvalidArgumentError(
        `A root of ${mode} must be a multiple of ${bytes}: ${formatAddress(tablesAt)} is not`,
        tablesAt,
      );
    }
    this.mode = mode;
    this.memory = memory;
    this.levels = levels;
    this.root = tablesAt;
    this.#next = tablesAt + bytes;
  }

  /** The address after the last table. */
  get tablesEnd(): bigint {
    return this.#next;
  }

  /** The value of the root register: mode, no address-space number, page number. */
  get rootRegister(): bigint {
    const code = { 2: 1n, 3: 8n, 4: 9n, 5: 10n }[this.levels]!;
    return code << (this.levels === 2 ? 31n : 60n) | this.root >> 12n;
  }

  /** The bytes that an entry of a level covers. */
  pageBytes(level: number): bigint {
    const [, bits] = SHAPES[this.mode];
    return 1n << BigInt(12 + bits * level);
  }

  /** Maps what one entry of a level covers, with tables on the way as needed. */
  map(va: bigint, pa: bigint, level: number, entry: RiscvEntryBits): this {
    const { bits, memoryType = 0, software = 0, highSoftware = 0 } = entry;
    let raw = pa >> 12n << 10n | BigInt(software) << 8n;
    raw |= BigInt(highSoftware) << 59n | BigInt(memoryType) << 61n;
    for (const letter of bits) raw |= 1n << BigInt(LETTERS.indexOf(letter));
    return this.put(va, level, raw);
  }

  /** Maps 64 KiB by sixteen entries that say so (Svnapot). */
  mapNapot(va: bigint, pa: bigint, entry: RiscvEntryBits): this {
    for (let i = 0n; i < 16n; i++) this.map(va + (i << 12n), pa | 0x8000n, 0, entry);
    for (let i = 0n; i < 16n; i++) {
      this.put(va + (i << 12n), 0, this.entry(va + (i << 12n), 0) | N);
    }
    return this;
  }

  /** Writes a raw entry, with tables on the way as needed. */
  put(va: bigint, level: number, raw: bigint): this {
    this.#write(this.#entryAddress(va, level), raw);
    return this;
  }

  /** Reads a raw entry, with tables on the way as needed. */
  entry(va: bigint, level: number): bigint {
    return this.#read(this.#entryAddress(va, level));
  }

  /** What a hart must find at an address: the algorithm of 4.3.2, for a read, with Svadu. */
  expect(va: bigint): RiscvExpected {
    if (!this.#isAddress(va)) return { outcome: "fault", level: null };
    let table = this.root;
    for (let level = this.levels - 1; level >= 0; level--) {
      const raw = this.#read(table + this.#offset(va, level));
      const fault = { outcome: "fault", level } as const;
      if (!(raw & V!) || (!(raw & R!) && raw & W!)) return fault;
      if (this.#isWide && (raw >> 54n & 0x1fn || (raw >> 61n & 3n) === 3n)) return fault;
      const ppn = this.#isWide ? raw >> 10n & ((1n << 44n) - 1n) : raw >> 10n;
      if (!(raw & (R! | W! | X!))) {
        if (level === 0 || raw & (U! | A! | D!) || raw >> 61n) return fault;
        table = ppn << 12n;
        continue;
      }
      const pages = this.pageBytes(level) >> 12n;
      if (ppn % pages !== 0n) return fault;
      const span = this.pageBytes(level);
      if (!this.#isWide || !(raw & N)) {
        const physicalAddress = ppn << 12n | va & (span - 1n);
        return { outcome: "mapped", physicalAddress, pageSizeBytes: Number(span), raw };
      }
      if (level !== 0 || (ppn & 0xfn) !== 8n) return fault;
      const physicalAddress = ppn >> 4n << 16n | va & 0xffffn;
      return { outcome: "mapped", physicalAddress, pageSizeBytes: 0x1_0000, raw };
    }
    throw new Error("The last level ends the walk");
  }

  /** Every page in address order. Tables that lie outside memory are left out. */
  *leaves(): Generator<RiscvLeaf> {
    yield* this.#leavesOf(this.root, this.levels - 1, 0n);
  }

  *#leavesOf(table: bigint, level: number, base: bigint): Generator<RiscvLeaf> {
    const [levels, bits, top, entryBytes] = SHAPES[this.mode];
    const count = 1n << BigInt(level === levels - 1 ? top : bits);
    for (let i = 0n; i < count; i++) {
      const raw = this.#read(table + i * BigInt(entryBytes));
      if (!(raw & V!)) continue;
      const address = base + i * this.pageBytes(level);
      const physicalAddress = (this.#isWide ? raw >> 10n & ((1n << 44n) - 1n) : raw >> 10n) << 12n;
      if (raw & (R! | W! | X!)) {
        const lengthBytes = this.pageBytes(level);
        yield { address: this.#extended(address), physicalAddress, lengthBytes, raw, table };
      } else if (level > 0) yield* this.#leavesOf(physicalAddress, level - 1, address);
    }
  }

  get #isWide(): boolean {
    return SHAPES[this.mode][3] === 8;
  }

  get #addressBits(): number {
    const [levels, bits, top] = SHAPES[this.mode];
    return 12 + bits * (levels - 1) + top;
  }

  #isAddress(va: bigint): boolean {
    return va === this.#extended(BigInt.asUintN(this.#addressBits, va));
  }

  #extended(va: bigint): bigint {
    const isSigned = this.#isWide && !this.mode.endsWith("x4");
    return isSigned ? BigInt.asUintN(64, BigInt.asIntN(this.#addressBits, va)) : va;
  }

  #offset(va: bigint, level: number): bigint {
    const [levels, bits, top, entryBytes] = SHAPES[this.mode];
    const width = BigInt(level === levels - 1 ? top : bits);
    return (va / this.pageBytes(level) & ((1n << width) - 1n)) * BigInt(entryBytes);
  }

  #entryAddress(va: bigint, level: number): bigint {
    if (!this.#isAddress(va)) {
      throw new InvalidArgumentError(`${formatAddress(va)} is not an address of ${this.mode}`, va);
    }
    let table = this.root;
    for (let at = this.levels - 1; at > level; at--) {
      const entry = table + this.#offset(va, at);
      let raw = this.#read(entry);
      if (raw === 0n) {
        raw = this.#next >> 12n << 10n | V!;
        this.#next += 0x1000n;
        this.#write(entry, raw);
      }
      if (raw & (R! | W! | X!)) {
        throw new InvalidArgumentError(`A page of level ${at} is at ${formatAddress(va)}`, va);
      }
      table = raw >> 10n << 12n;
    }
    return table + this.#offset(va, level);
  }

  #read(address: bigint): bigint {
    const view = new DataView(this.memory.readBytes(address, this.#isWide ? 8 : 4).buffer);
    return this.#isWide ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  }

  #write(address: bigint, raw: bigint): void {
    if (this.#isWide) this.memory.writeU64(address, raw);
    else this.memory.writeU32(address, raw);
  }
}
