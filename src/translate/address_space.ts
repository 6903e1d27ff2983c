import { type AddressLike, formatAddress, parseAddress } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";
import { checkOptions, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import { describeNoTables } from "./no_tables.ts";
import { describeReservedBits } from "./reserved_bits.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type Regime, spanAt } from "./regime.ts";
import { type Walk, walk, type WalkOptions } from "./walk.ts";

/** A read by linear address met a page that is not mapped, or whose tables could not be read. */
export class PageFaultError extends PagewalkError {
  /** The first linear address that could not be translated. */
  readonly address: bigint;
  /** The walk that ended there. */
  readonly walk: Walk;

  /** Creates the error for the walk that did not end in a page. */
  constructor(walk: Walk) {
    super(
      `No page at linear address ${formatAddress(walk.address)} under root ` +
        `${formatAddress(walk.root)}: ${describeFault(walk)}`,
    );
    this.address = walk.address;
    this.walk = walk;
  }
}

/** Options of {@linkcode AddressSpace}. */
export interface AddressSpaceOptions {
  /**
   * Keep translations that were found, up to this many. They are not noticed to change, so this is
   * for memory that stays mapped, such as a kernel's image.
   *
   * @default {0}
   */
  keepTranslations?: number;
}

const SPACE_SHAPE: OptionShape<AddressSpaceOptions> = { keepTranslations: wholeNumberFrom(0) };

/**
 * One set of page tables over one guest's memory: walk, translate and read by linear address.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const space = await guest.addressSpace({ cpu: 0 });
 * const text = new TextDecoder().decode(await space.read(0x7f1234567000n, 10));
 * assertEquals(text, "DMA page 0");
 * ```
 */
export class AddressSpace<R extends Regime = Regime> {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The mode and root of the tables. */
  readonly context: R;
  readonly #limit: number;
  readonly #kept = new Map<bigint, bigint>();

  /** Creates the view; nothing is read yet. */
  constructor(memory: PhysicalMemory, context: R, options: AddressSpaceOptions = {}) {
    checkOptions(options, "the options of an address space", SPACE_SHAPE);
    this.memory = memory;
    this.context = context;
    this.#limit = options.keepTranslations ?? 0;
  }

  /** Walks the tables for one address; see the function {@linkcode walk}. */
  walk(address: AddressLike, options?: WalkOptions): Promise<Walk> {
    return walk(this.memory, this.context, address, options);
  }

  /**
   * Returns the physical address of a linear one, or null if no page is mapped there.
   *
   * @throws {PageFaultError} if the tables could not be read, so that it is not known
   */
  async translate(address: AddressLike, options: ReadOptions = {}): Promise<bigint | null> {
    const result = await this.walk(address, { ...options, recheck: false });
    if (result.outcome === "mapped") return result.physicalAddress;
    if (result.outcome === "noTables") return withoutPaging(result);
    if (result.outcome === "unreadable") throw new PageFaultError(result);
    return null;
  }

  /**
   * Reads bytes by linear address, across pages.
   *
   * @throws {PageFaultError} if one of the pages is not mapped
   * @throws {MemoryReadError} if a page is mapped to memory that cannot be read
   */
  async read(
    address: AddressLike,
    lengthBytes: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    const start = parseAddress(address);
    const pieces: { physical: bigint; offset: number; lengthBytes: number }[] = [];
    for (let offset = 0; offset < lengthBytes;) {
      const at = start + BigInt(offset);
      const inPage = Number(at & 0xfffn);
      const length = Math.min(4096 - inPage, lengthBytes - offset);
      const physical = await this.#physicalPage(at - BigInt(inPage), options) + BigInt(inPage);
      const last = pieces.at(-1);
      if (last && last.physical + BigInt(last.lengthBytes) === physical) last.lengthBytes += length;
      else pieces.push({ physical, offset, lengthBytes: length });
      offset += length;
    }
    if (pieces.length === 1) {
      return await this.memory.read(pieces[0]!.physical, lengthBytes, options);
    }
    const bytes = new Uint8Array(lengthBytes);
    await Promise.all(pieces.map(async (piece) => {
      bytes.set(await this.memory.read(piece.physical, piece.lengthBytes, options), piece.offset);
    }));
    return bytes;
  }

  async #physicalPage(page: bigint, options: ReadOptions): Promise<bigint> {
    const kept = this.#kept.get(page);
    if (kept !== undefined) return kept;
    const result = await this.walk(page, { ...options, recheck: false });
    if (result.outcome === "noTables") {
      const physical = withoutPaging(result);
      if (physical === null) throw new PageFaultError(result);
      return physical;
    }
    if (result.outcome !== "mapped") throw new PageFaultError(result);
    if (this.#kept.size < this.#limit) this.#kept.set(page, result.physicalAddress);
    return result.physicalAddress;
  }
}

/** Where addresses are not translated a linear one is the physical one, if it is one. */
function withoutPaging({ address, regime }: Walk): bigint | null {
  return spanAt(regime, address)?.levels.length === 0 ? address : null;
}

/**
 * Says in a few words why a walk did not end in a page.
 *
 * @example Usage
 * ```ts
 * import { connect, describeFault } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals(describeFault(await guest.walk(0x7f2000003000n)), "the PT entry is not present");
 * ```
 */
export function describeFault(walk: Walk): string {
  switch (walk.outcome) {
    case "mapped":
      return "it is mapped";
    case "nonCanonical":
      return `not an address of ${walk.mode} paging`;
    case "notPresent":
      return `the ${walk.entry.name} entry is not present`;
    case "reservedBits":
      return `the ${walk.entry.name} entry ${describeReservedBits(walk.entry, walk.regime)}: ` +
        formatAddress(walk.entry.reservedBits);
    case "noTables":
      return describeNoTables(walk.why);
    case "unreadable":
      if (walk.failure === "secondStage") {
        return `the second stage does not translate ${formatAddress(walk.entryAddress)}`;
      }
      if (walk.failure !== "outsideRam") {
        return `the entry at ${formatAddress(walk.entryAddress)} could not be read`;
      }
      return walk.steps.length === 0
        ? describeRootOutsideRam(walk.root)
        : `corrupt tables: the next entry would be at ${
          formatAddress(walk.entryAddress)
        }, outside RAM`;
  }
}

/** Says of a root outside RAM what it most likely is: no table was read, so none can be corrupt. */
export function describeRootOutsideRam(root: bigint): string {
  return `the root ${
    formatAddress(root)
  } lies outside RAM, so it is not a page table of this guest: ` +
    "name another root or vCPU";
}
