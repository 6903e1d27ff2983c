import { InvalidArgumentError } from "../core/errors.ts";
import type { SparseMemory } from "./sparse_memory.ts";

/** The kinds of second-stage tables that can be built. */
export type SecondStageKind = "EPT" | "NPT";

/** What an entry of a second stage allows. */
export interface SecondStageRights {
  /** Reads. @default {true} */
  read?: boolean;
  /** Writes. @default {true} */
  write?: boolean;
  /** Instruction fetches. @default {true} */
  execute?: boolean;
}

/** The sizes of pages, with the level that maps them. */
const SIZES = { "4K": [1, 0x1000n], "2M": [2, 0x20_0000n], "1G": [3, 0x4000_0000n] } as const;

/** Where a built second stage leads, worked out from what was asked for. */
export interface SecondStageExpectation {
  /** The machine's address. */
  physicalAddress: bigint;
  /** The size of the page in bytes. */
  sizeBytes: number;
  /** What the page's own entry was built to allow. */
  rights: Required<SecondStageRights>;
}

/**
 * Builds second-stage tables bit by bit from Intel's and AMD's manuals. It shares nothing with the code
 * that reads them, so that each can be compared with the other.
 *
 * @example Usage
 * ```ts
 * import { ramRange, SecondStageBuilder, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x10_0000n)] });
 * const ept = new SecondStageBuilder("EPT", memory, 0x1000n);
 * ept.map(0x5000n, 0x9000n, "4K");
 * assertEquals(ept.expect(0x5123n)?.physicalAddress, 0x9123n);
 * assertEquals(ept.pointer, 0x1000n | (3n << 3n) | 6n);
 * ```
 */
export class SecondStageBuilder {
  /** The kind of its tables. */
  readonly kind: SecondStageKind;
  /** The machine's address of the top table. */
  readonly root: bigint;
  readonly #memory: SparseMemory;
  readonly #pages: {
    gpa: bigint;
    hpa: bigint;
    size: bigint;
    rights: Required<SecondStageRights>;
  }[] = [];
  #next: bigint;

  /** Begins with an empty top table; the tables below follow it in memory. */
  constructor(kind: SecondStageKind, memory: SparseMemory, tablesAt: bigint) {
    this.kind = kind;
    this.#memory = memory;
    this.root = tablesAt;
    this.#next = tablesAt + 0x1000n;
    memory.writeBytes(tablesAt, new Uint8Array(4096));
  }

  /** What the VMCS or the VMCB holds: EPTP (4 levels, write-back) or nCR3. */
  get pointer(): bigint {
    return this.kind === "EPT" ? this.root | 0x1en : this.root;
  }

  /** The address after the last table. */
  get tablesEnd(): bigint {
    return this.#next;
  }

  /**
   * Maps a page.
   *
   * @throws {InvalidArgumentError} if an address is not aligned to its size
   */
  map(gpa: bigint, hpa: bigint, size: "4K" | "2M" | "1G", rights: SecondStageRights = {}): this {
    const [leaf, bytes] = SIZES[size];
    if (gpa % bytes !== 0n || hpa % bytes !== 0n) {
      throw new InvalidArgumentError(`A ${size} page must be aligned to its size`, gpa);
    }
    const { read = true, write = true, execute = true } = rights;
    let table = this.root;
    for (let level = 4; level > leaf; level--) {
      const at = this.#slot(table, gpa, level);
      let entry = this.#memory.readU64(at);
      if (entry === 0n) {
        entry = this.#next | 7n; // EPT: R, W, X; NPT: P, R/W, U/S
        this.#memory.writeBytes(this.#next, new Uint8Array(4096));
        this.#next += 0x1000n;
        this.#memory.writeU64(at, entry);
      }
      table = entry & 0x000f_ffff_ffff_f000n;
    }
    const large = leaf > 1 ? 0x80n : 0n;
    const flags = this.kind === "EPT"
      ? (read ? 1n : 0n) | (write ? 2n : 0n) | (execute ? 4n : 0n) | (6n << 3n)
      : 1n | (write ? 2n : 0n) | (read ? 4n : 0n) | (execute ? 0n : 1n << 63n);
    this.#memory.writeU64(this.#slot(table, gpa, leaf), hpa | flags | large);
    this.#pages.push({ gpa, hpa, size: bytes, rights: { read, write, execute } });
    return this;
  }

  /** Writes an entry of a level as it stands, to build what no hypervisor would. */
  put(gpa: bigint, level: number, raw: bigint): this {
    let table = this.root;
    for (let above = 4; above > level; above--) {
      table = this.#memory.readU64(this.#slot(table, gpa, above)) & 0x000f_ffff_ffff_f000n;
    }
    this.#memory.writeU64(this.#slot(table, gpa, level), raw);
    return this;
  }

  /** Where an address should lead; null if no page was mapped there. */
  expect(gpa: bigint): SecondStageExpectation | null {
    // The page that was mapped last counts.
    const page = this.#pages.findLast((each) => gpa >= each.gpa && gpa < each.gpa + each.size);
    if (!page) return null;
    const { hpa, size, rights } = page;
    return { physicalAddress: hpa + (gpa - page.gpa), sizeBytes: Number(size), rights };
  }

  #slot(table: bigint, gpa: bigint, level: number): bigint {
    return table + ((gpa >> BigInt(12 + 9 * (level - 1))) & 511n) * 8n;
  }
}
