import { formatAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import {
  classify,
  entryAddressIn,
  expectLeaves,
  expectTranslation,
  isCanonical,
  type TableView,
} from "./_expect_translation.ts";
import {
  ACCESSED,
  DIRTY,
  encodeFrame,
  FORMATS,
  GLOBAL,
  KEY_SHIFT,
  type LevelFormat,
  NO_EXECUTE,
  PAGE_BYTES,
  PAGE_SIZE,
  type PageSize,
  type PageTableMode,
  PAT_AT_LEVEL_1,
  PAT_OF_LARGE_PAGE,
  PCD,
  physicalLimit,
  PRESENT,
  PWT,
  USER,
  WRITABLE,
} from "./_page_table_formats.ts";
import type { EntryRights, ExpectedLeaf, ExpectedTranslation } from "./expected_translation.ts";
import type { SparseMemory } from "./sparse_memory.ts";

export type { PageSize, PageTableMode } from "./_page_table_formats.ts";
export { registersFor, type RegistersForOptions, type TablesInUse } from "./registers_for.ts";

const TABLE_BYTES = 4096n;
/** Where a PAE root starts in its page: 32-byte aligned as CR3 asks, and on purpose no more. */
const PAE_ROOT_OFFSET = 0x7a0n;

/** Where tables go, and which CPU they are for. */
export interface PageTableBuilderOptions {
  /** The page-aligned guest-physical address from which tables are laid out upwards. */
  tablesAt: bigint;
  /**
   * EFER.NXE. When clear, bit 63 of an entry is reserved.
   *
   * @default {true}
   */
  nxEnabled?: boolean;
  /**
   * CPUID's MAXPHYADDR, in bits. QEMU's TCG has 40 unless told otherwise.
   *
   * @default {40}
   */
  maxPhysAddrBits?: number;
  /**
   * CR4.PSE: 4 MiB pages in 32-bit paging.
   *
   * @default {true}
   */
  pageSizeExtensions?: boolean;
}

/**
 * Builds x86 page tables in memory and says what the CPU must make of them. It is written from the
 * Intel SDM alone (volume 3A, chapter 4) and shares no code with the walker, so that the two can be
 * compared with each other. Levels count from 1, the table of 4 KiB pages.
 *
 * @example Usage
 * ```ts
 * import { PageTableBuilder, ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * const builder = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
 * builder.map(0x7f12_3456_7000n, 0x5000n, "4K", { user: true, writable: true });
 * builder.setRights(0x7f12_3456_7000n, 3, { user: false });
 *
 * const [leaf] = builder.leaves();
 * assertEquals(leaf!.leaf.user, true);
 * assertEquals(leaf!.effective.user, false);
 * assertEquals(leaf!.decidedBy.user, 3);
 * ```
 */
export class PageTableBuilder {
  /** The mode of the tables. */
  readonly mode: PageTableMode;
  /** The memory that holds them. */
  readonly memory: SparseMemory;
  /** The guest-physical address of the top table: what CR3 holds, without flags. */
  readonly root: bigint;
  /** EFER.NXE, as given. */
  readonly nxEnabled: boolean;
  /** MAXPHYADDR in bits, as given. */
  readonly maxPhysAddrBits: number;
  /** CR4.PSE, as given. */
  readonly pageSizeExtensions: boolean;
  #nextTable: bigint;

  /**
   * Lays out an empty top table.
   *
   * @throws {InvalidArgumentError} if `tablesAt` is not page aligned, or CR3 could not hold it
   */
  constructor(mode: PageTableMode, memory: SparseMemory, options: PageTableBuilderOptions) {
    this.mode = mode;
    this.memory = memory;
    this.nxEnabled = options.nxEnabled ?? true;
    this.maxPhysAddrBits = options.maxPhysAddrBits ?? 40;
    this.pageSizeExtensions = options.pageSizeExtensions ?? true;
    const { tablesAt } = options;
    if (tablesAt % TABLE_BYTES !== 0n) {
      throw new InvalidArgumentError(
        `Tables must start on a page: ${formatAddress(tablesAt)} is not a multiple of 4096`,
        tablesAt,
      );
    }
    if (FORMATS[mode].linearBits === 32 && tablesAt >= 1n << 32n) {
      throw new InvalidArgumentError(
        `CR3 has 32 bits in ${mode} paging: tables cannot start at ${formatAddress(tablesAt)}`,
        tablesAt,
      );
    }
    this.#nextTable = tablesAt;
    this.root = this.#allocateTable() + (mode === "pae" ? PAE_ROOT_OFFSET : 0n);
  }

  /** The address after the last table: where the next one would go. */
  get tablesEnd(): bigint {
    return this.#nextTable;
  }

  /**
   * Maps one page. Tables on the way are created with P, R/W and U/S set, so that the leaf decides
   * (SDM 4.6); {@linkcode setRights} refines them.
   *
   * @throws {InvalidArgumentError} if the mode has no such page, an address is misaligned or out of
   * range, or something is mapped there already
   */
  map(va: bigint, pa: bigint, size: PageSize, rights: EntryRights = {}): this {
    const level = this.#levelOfSize(size);
    this.#requireMappable(va, pa, size);
    const entryAddress = this.#entryAddress(va, level.level, true);
    if (this.#readEntry(entryAddress) !== 0n) {
      throw new InvalidArgumentError(`Something is mapped at ${formatAddress(va)} already`, va);
    }
    const raw = PRESENT | encodeFrame(size, pa) | (level.level > 1 ? PAGE_SIZE : 0n);
    this.#writeEntry(entryAddress, this.#withRights(level, raw, rights, true));
    return this;
  }

  /**
   * Sets or clears the named bits of an entry, leaf or not, and leaves the others.
   *
   * @throws {InvalidArgumentError} if a table on the way is missing or the entry has no such bit
   */
  setRights(va: bigint, level: number, rights: EntryRights): this {
    const format = this.#format(level);
    const raw = this.entry(va, level);
    const isLeaf = level === 1 || (format.page !== undefined && (raw & PAGE_SIZE) !== 0n);
    this.#writeEntry(this.entryAddress(va, level), this.#withRights(format, raw, rights, isLeaf));
    return this;
  }

  /**
   * Replaces an entry by whatever is wanted: reserved bits, a table outside RAM, a swap entry.
   * Tables on the way are created where there are none.
   *
   * @throws {InvalidArgumentError} if the way to it is blocked by a page or a broken entry
   */
  change(va: bigint, level: number, change: (raw: bigint) => bigint): this {
    const entryAddress = this.#entryAddress(va, level, true);
    const width = FORMATS[this.mode].entryBytes * 8;
    this.#writeEntry(entryAddress, BigInt.asUintN(width, change(this.#readEntry(entryAddress))));
    return this;
  }

  /**
   * Returns the guest-physical address of an entry.
   *
   * @throws {InvalidArgumentError} if a table on the way to it is missing
   */
  entryAddress(va: bigint, level: number): bigint {
    return this.#entryAddress(va, level, false);
  }

  /**
   * Returns an entry's 4 or 8 bytes.
   *
   * @throws {InvalidArgumentError} if a table on the way to it is missing
   */
  entry(va: bigint, level: number): bigint {
    return this.#readEntry(this.entryAddress(va, level));
  }

  /** Returns what a walk must find for one address. */
  expect(va: bigint): ExpectedTranslation {
    return expectTranslation(this.#view(), va);
  }

  /** Returns every page that the tables map, in the order of the tables. */
  leaves(): ExpectedLeaf[] {
    return [...expectLeaves(this.#view())];
  }

  #view(): TableView {
    const { mode, memory, root, maxPhysAddrBits, nxEnabled, pageSizeExtensions } = this;
    return { mode, memory, root, maxPhysAddrBits, nxEnabled, pageSizeExtensions };
  }

  #allocateTable(): bigint {
    const table = this.#nextTable;
    this.memory.writeBytes(table, new Uint8Array(Number(TABLE_BYTES)));
    this.#nextTable += TABLE_BYTES;
    return table;
  }

  #format(level: number): LevelFormat {
    const format = FORMATS[this.mode].levels.find((format) => format.level === level);
    if (!format) {
      throw new InvalidArgumentError(`There is no level ${level} in ${this.mode} paging`, level);
    }
    return format;
  }

  #levelOfSize(size: PageSize): LevelFormat {
    const format = FORMATS[this.mode].levels.find((format) => format.page === size);
    if (!format) {
      throw new InvalidArgumentError(`There are no ${size} pages in ${this.mode} paging`, size);
    }
    return format;
  }

  #requireMappable(va: bigint, pa: bigint, size: PageSize): void {
    const misaligned = [va, pa].find((address) => address % PAGE_BYTES[size] !== 0n);
    if (misaligned !== undefined) {
      throw new InvalidArgumentError(
        `A ${size} page cannot start at ${
          formatAddress(misaligned)
        }: it must be aligned to its size`,
        misaligned,
      );
    }
    if (!isCanonical(this.mode, va)) {
      throw new InvalidArgumentError(
        `${formatAddress(va)} is not an address of ${this.mode} paging`,
        va,
      );
    }
    if (pa >= physicalLimit(this.mode, size, this.maxPhysAddrBits)) {
      throw new InvalidArgumentError(
        `A ${size} page of ${this.mode} paging cannot be at physical ${formatAddress(pa)}`,
        pa,
      );
    }
  }

  #entryAddress(va: bigint, level: number, create: boolean): bigint {
    this.#format(level);
    let table = this.root;
    for (const format of FORMATS[this.mode].levels) {
      const { entryAddress } = entryAddressIn(this.mode, table, format, va);
      if (format.level === level) return entryAddress;
      if (create && this.#readEntry(entryAddress) === 0n) {
        const rights = format.hasRights ? WRITABLE | USER : 0n;
        this.#writeEntry(entryAddress, this.#allocateTable() | PRESENT | rights);
      }
      const kind = classify(this, format, this.#readEntry(entryAddress));
      if (kind.is !== "table") {
        throw new InvalidArgumentError(
          `No way to level ${level} for ${formatAddress(va)}: the entry at level ${format.level} ` +
            `is not a table (${kind.is})`,
          va,
        );
      }
      table = kind.table;
    }
    throw new Error("unreachable: the level was checked");
  }

  #withRights(format: LevelFormat, raw: bigint, rights: EntryRights, isLeaf: boolean): bigint {
    const { protectionKey, ...flags } = rights;
    let entry = raw;
    for (const [name, value] of Object.entries(flags)) {
      const bit = this.#bit(name as keyof typeof flags, format, isLeaf);
      if (bit !== undefined) entry = value ? entry | bit : entry & ~bit;
      else if (value) throw this.#noSuchBit(name, format);
    }
    if (protectionKey === undefined) return entry;
    const hasKey = isLeaf && FORMATS[this.mode].linearBits > 32;
    if (!hasKey && protectionKey !== 0) throw this.#noSuchBit("protectionKey", format);
    return hasKey
      ? (entry & ~(0xfn << KEY_SHIFT)) | (BigInt(protectionKey & 0xf) << KEY_SHIFT)
      : entry;
  }

  #bit(
    name: Exclude<keyof EntryRights, "protectionKey">,
    format: LevelFormat,
    isLeaf: boolean,
  ): bigint | undefined {
    // Tables 4-8, 4-14 and 4-15: what an entry has depends on whether it maps a page.
    const { hasRights } = format;
    const ifRights = (bit: bigint) => (hasRights ? bit : undefined);
    const ifLeaf = (bit: bigint) => (isLeaf ? bit : undefined);
    switch (name) {
      case "user":
        return ifRights(USER);
      case "writable":
        return ifRights(WRITABLE);
      case "noExecute":
        return this.mode === "32-bit" ? undefined : ifRights(NO_EXECUTE);
      case "accessed":
        return ifRights(ACCESSED);
      case "dirty":
        return ifLeaf(DIRTY);
      case "global":
        return ifLeaf(GLOBAL);
      case "pat":
        return ifLeaf(format.level === 1 ? PAT_AT_LEVEL_1 : PAT_OF_LARGE_PAGE);
      case "pcd":
        return PCD;
      case "pwt":
        return PWT;
    }
  }

  #noSuchBit(name: string, format: LevelFormat): InvalidArgumentError {
    return new InvalidArgumentError(
      `An entry of level ${format.level} in ${this.mode} paging has no such bit: ${name}`,
      name,
    );
  }

  #readEntry(address: bigint): bigint {
    return FORMATS[this.mode].entryBytes === 8
      ? this.memory.readU64(address)
      : this.memory.readU32(address);
  }

  #writeEntry(address: bigint, raw: bigint): void {
    if (FORMATS[this.mode].entryBytes === 8) this.memory.writeU64(address, raw);
    else this.memory.writeU32(address, raw);
  }
}
