import { InvalidArgumentError } from "../core/errors.ts";
import type { SparseMemory } from "./sparse_memory.ts";

/** The kinds of tables that {@linkcode IommuTableBuilder} builds. */
export type IommuTableFormat =
  | "vtd-legacy"
  | "vtd-scalable-second"
  | "vtd-scalable-first"
  | "amdvi";

/** Where the tables go. */
export interface IommuTableBuilderOptions {
  /** The page-aligned guest-physical address from which tables are laid out upwards. */
  tablesAt: bigint;
  /** How many levels a device's tables have. @default {4} */
  levels?: number;
}

/** What a device may do with a page. */
export interface DmaRights {
  /** It may read. */
  read: boolean;
  /** It may write. */
  write: boolean;
}

/** A page that was built, as the device is to see it. */
export interface BuiltDmaPage extends DmaRights {
  /** The first address on the device's side. */
  iova: bigint;
  /** The guest-physical address. */
  physicalAddress: bigint;
  /** The length in bytes. */
  lengthBytes: number;
}

const TABLE_BYTES = 4096n;
const READ_WRITE: DmaRights = { read: true, write: true };

/** A device's tables while they are built. */
interface DeviceTables {
  readonly root: bigint;
  readonly pages: BuiltDmaPage[];
}

/**
 * Builds the tables of an IOMMU in memory: those that find a device's tables, and these. It is written from
 * the Intel VT-d specification (chapter 9) and AMD's IOMMU specification (2.2) alone, and shares no code with
 * what reads them.
 *
 * @example Usage
 * ```ts
 * import { readIommuDevices } from "@pagewalk/pagewalk/devices";
 * import { IommuTableBuilder, ramRange, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
 * const builder = new IommuTableBuilder("amdvi", memory, { tablesAt: 0x10_0000n });
 * builder.map("00:03.0", 0x1000n, 0x5000n, 4096);
 * const { devices } = await readIommuDevices("amdvi", memory, builder.root);
 * assertEquals(devices[0]!.regime!.mode, "AMD-Vi v1, 4 levels");
 * ```
 */
export class IommuTableBuilder {
  /** The value of the register that points to the first table. */
  readonly root: bigint;
  readonly #format: IommuTableFormat;
  readonly #memory: SparseMemory;
  readonly #levels: number;
  readonly #first: bigint;
  readonly #devices = new Map<string, DeviceTables>();
  #next: bigint;

  /** Builds the first table, which knows no device. */
  constructor(format: IommuTableFormat, memory: SparseMemory, options: IommuTableBuilderOptions) {
    this.#format = format;
    this.#memory = memory;
    this.#levels = options.levels ?? 4;
    this.#next = options.tablesAt;
    if (format === "amdvi") {
      // 256 entries of 32 bytes: bus 0. All are blocked, as Linux has those that do not exist.
      this.#first = this.newTable(2);
      for (let i = 0n; i < 256n; i++) memory.writeU64(this.#first + i * 32n, 3n);
      this.root = this.#first | 1n;
    } else {
      this.#first = this.newTable();
      this.root = this.#first | (format === "vtd-legacy" ? 0n : 1n << 10n);
    }
  }

  /** The pages that were built for a device, in the order of their making. */
  pagesOf(device: string): readonly BuiltDmaPage[] {
    return this.#devices.get(device)?.pages ?? [];
  }

  /** The top table of a device; made, if it has none. */
  tablesOf(device: string, { domain = 1 }: { domain?: number } = {}): bigint {
    return this.#tables(device, domain).root;
  }

  /** Gives a device the tables of another, in one domain. */
  share(device: string, other: string, { domain = 1 }: { domain?: number } = {}): void {
    const tables = this.#tables(other, domain);
    this.#devices.set(device, tables);
    this.#translate(device, tables.root, domain);
  }

  /** Lets a device reach all of memory. */
  passThrough(device: string, { domain = 1 }: { domain?: number } = {}): void {
    const id = numberOf(device);
    const did = BigInt(domain);
    switch (this.#format) {
      case "vtd-legacy":
        return this.#writeLegacyContext(id, 1n | 2n << 2n, did << 8n | 2n);
      case "amdvi":
        return this.#writeDeviceEntry(id, 3n | 3n << 61n, did);
      default:
        return this.#writePasidEntry(id, [1n | 4n << 6n | 2n << 2n, did, 0n]);
    }
  }

  /**
   * VT-d, scalable mode: has first-level tables nested in second-level ones (9.6, PGTT 3). The tables may be other
   * builders'; those that are not given have no page.
   *
   * @param tables where the first level's top table is for the second level, and where the second level's is
   */
  nest(
    device: string,
    tables: { domain?: number; first?: bigint; second?: bigint } = {},
  ): void {
    const { domain = 1, first = this.newTable(), second = this.newTable() } = tables;
    const width = BigInt(this.#levels - 2) << 2n;
    const words = [second | 1n | 3n << 6n | width, BigInt(domain), first];
    this.#writePasidEntry(numberOf(device), words);
  }

  /** Maps pages for a device: one of 4 KiB, 2 MiB, 1 GiB or, with AMD-Vi, of any power of two. */
  map(
    device: string,
    iova: bigint,
    physicalAddress: bigint,
    lengthBytes: number,
    rights: DmaRights = READ_WRITE,
  ): void {
    const tables = this.#tables(device, 1);
    const bits = Math.log2(lengthBytes);
    const level = Math.floor((bits - 12) / 9) + 1;
    const repeated = 2 ** ((bits - 12) % 9);
    const table = this.#tableAt(tables.root, iova, level);
    const index = indexOf(iova, level);
    for (let i = 0; i < repeated; i++) {
      const at = table + BigInt((index + i) * 8);
      this.#memory.writeU64(at, this.#pageEntry(physicalAddress, level, bits, rights));
    }
    tables.pages.push({ iova, physicalAddress, lengthBytes, ...rights });
  }

  /** AMD-Vi: maps a page of 4 KiB by an entry of the top table that leaves all levels but the last out. */
  mapSkipping(device: string, iova: bigint, physicalAddress: bigint): void {
    const tables = this.#tables(device, 1);
    const leaf = this.newTable();
    const at = tables.root + BigInt(indexOf(iova, this.#levels) * 8);
    this.#memory.writeU64(at, leaf | 1n | 1n << 9n | 3n << 61n);
    this.#memory.writeU64(
      leaf + BigInt(indexOf(iova, 1) * 8),
      this.#pageEntry(physicalAddress, 1, 12, READ_WRITE),
    );
    tables.pages.push({ iova, physicalAddress, lengthBytes: 4096, ...READ_WRITE });
  }

  /** Makes an empty table of so many pages. */
  newTable(pages = 1): bigint {
    const at = this.#next;
    this.#next += TABLE_BYTES * BigInt(pages);
    this.#memory.writeU64(at, 0n); // So that it is there.
    return at;
  }

  #tables(device: string, domain: number): DeviceTables {
    let tables = this.#devices.get(device);
    if (tables === undefined) {
      this.#devices.set(device, tables = { root: this.newTable(), pages: [] });
      this.#translate(device, tables.root, domain);
    }
    return tables;
  }

  #translate(device: string, root: bigint, domain: number): void {
    const id = numberOf(device);
    const did = BigInt(domain);
    const width = BigInt(this.#levels - 2);
    switch (this.#format) {
      case "vtd-legacy":
        return this.#writeLegacyContext(id, root | 1n, did << 8n | width);
      case "amdvi":
        return this.#writeDeviceEntry(id, root | 3n | BigInt(this.#levels) << 9n | 3n << 61n, did);
      case "vtd-scalable-second":
        return this.#writePasidEntry(id, [root | 1n | 2n << 6n | width << 2n, did, 0n]);
      case "vtd-scalable-first": {
        const flpm = BigInt(this.#levels - 4) << 2n;
        return this.#writePasidEntry(id, [1n | 1n << 6n, did, root | flpm]);
      }
    }
  }

  /** VT-d, 9.1 and 9.3. */
  #writeLegacyContext(id: number, low: bigint, high: bigint): void {
    const at = this.#below(this.#first + BigInt((id >> 8) * 16)) + BigInt((id & 0xff) * 16);
    this.#memory.writeU64(at, low);
    this.#memory.writeU64(at + 8n, high);
  }

  /** VT-d, 9.2, 9.4, 9.5 and 9.6: the PASID directory has 128 entries, and requests use PASID 0. */
  #writePasidEntry(id: number, words: readonly bigint[]): void {
    const context = this.#below(this.#first + BigInt((id >> 7) * 8)) + BigInt((id & 0x7f) * 32);
    const table = this.#below(this.#below(context));
    words.forEach((word, i) => this.#memory.writeU64(table + BigInt(i * 8), word));
  }

  /** AMD-Vi, 2.2.2. */
  #writeDeviceEntry(id: number, low: bigint, second: bigint): void {
    this.#memory.writeU64(this.#first + BigInt(id * 32), low);
    this.#memory.writeU64(this.#first + BigInt(id * 32 + 8), second);
  }

  /** The table that an entry with bit 0 for "present" points to; made, if there is none. */
  #below(entryAt: bigint): bigint {
    const entry = this.#memory.readU64(entryAt);
    if (entry & 1n) return entry & ~0xfffn;
    const table = this.newTable();
    this.#memory.writeU64(entryAt, table | 1n);
    return table;
  }

  #tableAt(root: bigint, iova: bigint, level: number): bigint {
    let table = root;
    for (let above = this.#levels; above > level; above--) {
      const at = table + BigInt(indexOf(iova, above) * 8);
      const entry = this.#memory.readU64(at);
      if (entry !== 0n) table = entry & 0x000f_ffff_ffff_f000n;
      else this.#memory.writeU64(at, this.#tableEntry(table = this.newTable(), above));
    }
    return table;
  }

  #tableEntry(table: bigint, level: number): bigint {
    switch (this.#format) {
      case "amdvi":
        return table | 1n | BigInt(level - 1) << 9n | 3n << 61n;
      case "vtd-scalable-first":
        return table | 7n; // P, R/W, U/S
      default:
        return table | 3n; // R, W
    }
  }

  #pageEntry(address: bigint, level: number, bits: number, { read, write }: DmaRights): bigint {
    const large = level > 1 ? 1n << 7n : 0n;
    switch (this.#format) {
      case "amdvi": {
        const rights = (read ? 1n << 61n : 0n) | (write ? 1n << 62n : 0n);
        if ((bits - 12) % 9 === 0) return address | 1n | rights;
        // 2.2.3: of a page of 2^n bytes, address bit n - 1 is 0 and those below are 1.
        return address | ((1n << BigInt(bits - 1)) - 1n) & ~0xfffn | 1n | 7n << 9n | rights;
      }
      case "vtd-scalable-first":
        return address | 1n | (write ? 2n : 0n) | (read ? 4n : 0n) | large;
      default:
        return address | (read ? 1n : 0n) | (write ? 2n : 0n) | large;
    }
  }
}

function indexOf(iova: bigint, level: number): number {
  return Number(iova >> BigInt(12 + 9 * (level - 1)) & 0x1ffn);
}

/** `00:03.0` as the number by which an IOMMU knows it. */
function numberOf(device: string): number {
  const parts = /^(\w\w):(\w\w)\.(\d)$/.exec(device)?.slice(1).map((hex) => parseInt(hex, 16));
  if (!parts) throw new InvalidArgumentError(`Not a device: ${device}`, device);
  return parts[0]! * 256 + parts[1]! * 8 + parts[2]!;
}
