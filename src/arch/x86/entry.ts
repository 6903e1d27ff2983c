import type { PagingContext } from "./paging_context.ts";
import type { BitField, EntryFlag } from "./bit_fields.ts";
import {
  type LevelFormat,
  type LevelName,
  PAGING_MODES,
  type PagingLevel,
  type PagingMode,
} from "./modes.ts";

/** What an entry is, by its present and page-size bits. */
export type EntryKind = "notPresent" | "table" | "page";

/** The flags of an entry. A flag that this kind of entry does not have is false. */
export type EntryFlags = Readonly<Record<EntryFlag, boolean>>;

/** One entry of a page table, decoded by the rules of its level. */
export interface PageTableEntry {
  /** The level of the table that holds it, 5 to 1; level 1 is the PT. */
  readonly level: PagingLevel;
  /** The table's name. */
  readonly name: LevelName;
  /** The entry's index in its table, from 0. */
  readonly index: number;
  /** The guest-physical address of the entry itself. */
  readonly address: bigint;
  /** The entry as it stands in memory: 64 bits, or 32 in 32-bit paging. */
  readonly raw: bigint;
  /** Whether it points to a table, maps a page, or neither. */
  readonly kind: EntryKind;
  /**
   * The named bits. They mean something only if the entry is present. Entries of one level that are
   * alike in all but their frame share this object, so that lists of many can be grouped by it.
   */
  readonly flags: EntryFlags;
  /** The guest-physical address of the next table or of the page. */
  readonly frame: bigint;
  /** False for PAE's top entries, which have no R/W, U/S or XD and so take no right away. */
  readonly hasRights: boolean;
  /** The bits that are set although this kind of entry reserves them; 0 if none. */
  readonly reservedBits: bigint;
  /** In a confidential guest: whether the entry marks its frame private. */
  readonly private?: boolean;
}

/** One kind of entry, prepared for decoding: masks instead of fields. */
interface Layout {
  readonly flagBits: readonly (readonly [EntryFlag, bigint])[];
  readonly frameParts: readonly { mask: bigint; shift: bigint }[];
  /** Every bit but those of the frame. */
  readonly shapeMask: bigint;
  readonly reservedMask: bigint;
  readonly hasRights: boolean;
  /** The shapes met so far, by the bits that make them. */
  readonly shapes: Map<bigint, Shape>;
}

/** What entries have in common that differ in nothing but their frame. */
interface Shape {
  readonly flags: EntryFlags;
  readonly reservedBits: bigint;
  readonly private?: boolean;
}

/** Real tables have a few dozen shapes; tables full of junk are not to fill the memory. */
const MAX_SHAPES = 4096;

/** One level of a paging context, prepared for decoding many entries. */
export interface LevelDecoder {
  /** The level's format. */
  readonly format: LevelFormat;
  /** How many bytes an entry has. */
  readonly entryBytes: 4 | 8;
  /** Says what a raw entry is. */
  kindOf(raw: bigint): EntryKind;
  /** Decodes a raw entry found at a guest-physical address. */
  decode(raw: bigint, address: bigint, index: number): PageTableEntry;
}

const PRESENT = 1n;
const PAGE_SIZE = 1n << 7n;
const NO_FLAGS: EntryFlags = {
  present: false,
  writable: false,
  user: false,
  writeThrough: false,
  cacheDisable: false,
  accessed: false,
  dirty: false,
  pageSize: false,
  global: false,
  pat: false,
  executeDisable: false,
};

const decodersByContext = new WeakMap<PagingContext, readonly LevelDecoder[]>();

/**
 * Returns the decoders of a context's levels, from the root down. Prepared once for a context.
 *
 * @example Usage
 * ```ts
 * import { levelDecoders, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * const [, , , pt] = levelDecoders(context);
 * assertEquals(pt!.decode(0x3ff0a863n, 0x5109b38n, 359).flags.user, false);
 * ```
 */
export function levelDecoders(context: PagingContext): readonly LevelDecoder[] {
  let decoders = decodersByContext.get(context);
  if (!decoders) {
    const mode = PAGING_MODES[context.mode];
    decoders = mode.levels.map((format) => levelDecoder(mode, format, context));
    decodersByContext.set(context, decoders);
  }
  return decoders;
}

function levelDecoder(mode: PagingMode, format: LevelFormat, context: PagingContext): LevelDecoder {
  const table = format.table && layoutOf(format.table, mode, context);
  const page = format.page && layoutOf(format.page, mode, context);
  const largePagesExist = !format.pageNeeds || context[format.pageNeeds] === true;
  const confidential = context.confidentialBit;

  function kindOf(raw: bigint): EntryKind {
    if (!(raw & PRESENT)) return "notPresent";
    if (!table) return "page";
    return page && largePagesExist && raw & PAGE_SIZE ? "page" : "table";
  }

  function decode(raw: bigint, address: bigint, index: number): PageTableEntry {
    const kind = kindOf(raw);
    const layout = (kind === "page" ? page : table ?? page)!;
    const shape = shapeOf(layout, raw);
    let frame = 0n;
    for (const { mask, shift } of layout.frameParts) frame |= (raw & mask) << shift;
    return {
      level: format.level,
      name: format.name,
      index,
      address,
      raw,
      kind,
      flags: shape.flags,
      frame,
      hasRights: layout.hasRights,
      reservedBits: kind === "notPresent" ? 0n : shape.reservedBits,
      ...shape.private !== undefined && { private: shape.private },
    };
  }

  // A large listing decodes millions of entries of a few shapes: naming the bits of each anew would
  // take most of its time.
  function shapeOf(layout: Layout, raw: bigint): Shape {
    const bits = raw & layout.shapeMask;
    let shape = layout.shapes.get(bits);
    if (shape) return shape;
    const flags: Record<EntryFlag, boolean> = { ...NO_FLAGS };
    for (const [flag, bit] of layout.flagBits) flags[flag] = Boolean(raw & bit);
    shape = {
      flags: Object.freeze(flags),
      reservedBits: raw & layout.reservedMask,
      ...confidential && {
        private:
          (raw >> BigInt(confidential.bit) & 1n) === (confidential.whenSet === "private" ? 1n : 0n),
      },
    };
    if (layout.shapes.size >= MAX_SHAPES) layout.shapes.clear();
    layout.shapes.set(bits, shape);
    return shape;
  }

  return { format, entryBytes: mode.entryBytes, kindOf, decode };
}

function layoutOf(fields: readonly BitField[], mode: PagingMode, context: PagingContext): Layout {
  const confidentialMask = context.confidentialBit ? 1n << BigInt(context.confidentialBit.bit) : 0n;
  const frameParts: { mask: bigint; shift: bigint }[] = [];
  let known = confidentialMask;
  for (const field of fields) {
    if (field.needsExecuteDisable && !context.executeDisable) continue;
    let width = field.width;
    if (field.addressBit !== undefined) {
      width = Math.max(0, Math.min(width, context.physicalAddressBits - field.addressBit));
      const mask = bitMask(field.low, width) & ~confidentialMask;
      frameParts.push({ mask, shift: BigInt(field.addressBit - field.low) });
    }
    known |= bitMask(field.low, width);
  }
  return {
    flagBits: fields.filter((field) => field.flag).map((f) =>
      [f.flag!, 1n << BigInt(f.low)] as const
    ),
    frameParts,
    shapeMask: bitMask(0, mode.entryBytes * 8) &
      ~frameParts.reduce((all, { mask }) => all | mask, 0n),
    reservedMask: bitMask(0, mode.entryBytes * 8) & ~known,
    hasRights: fields.some((field) => field.flag === "user"),
    shapes: new Map(),
  };
}

function bitMask(low: number, width: number): bigint {
  return ((1n << BigInt(width)) - 1n) << BigInt(low);
}
