import type {
  BitField,
  EntryFlags,
  EntryKind,
  LevelDecoder,
  LevelFormat,
  PageTableEntry,
} from "./entry.ts";

/** What a level's fields alone do not tell. */
export interface FieldDecoderOptions {
  /** The length of an entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** What a raw entry is. */
  readonly kindOf: (raw: bigint) => EntryKind;
  /** A bit that makes an entry present. */
  readonly presentBit: bigint;
  /** The flags of which an entry that gives or takes rights has at least one. */
  readonly rightFlags: readonly string[];
  /** How many bits a physical address has: those of the frame's fields above are reserved. */
  readonly physicalAddressBits: number;
  /** Fields that are reserved as things stand. */
  readonly isReserved?: (field: BitField) => boolean;
  /** An address bit that is not part of the frame, but says whether it is private. */
  readonly confidentialBit?: { readonly bit: number; readonly whenSet: "private" | "shared" };
  /** What an entry says beside its fields: a size or an encoding that is its own. */
  readonly refine?: (entry: PageTableEntry) => PageTableEntry;
}

/** One kind of entry, prepared for decoding: masks instead of fields. */
interface Layout {
  readonly flagBits: readonly (readonly [string, bigint])[];
  readonly frameParts: readonly { mask: bigint; shift: bigint }[];
  /** Every bit but those of the frame. */
  readonly shapeMask: bigint;
  readonly reservedMask: bigint;
  readonly hasRights: boolean;
  readonly fields: readonly BitField[];
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

/**
 * Makes the decoder of a level from the fields of its entries.
 *
 * @example An entry whose bit 0 says that it is there, and bits 12 to 31 where
 * ```ts
 * import { fieldDecoder } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const page = [
 *   { low: 0, width: 1, name: "V", meaning: "valid", flag: "present" },
 *   { low: 12, width: 20, name: "ADDR", meaning: "address", addressBit: 12 },
 * ];
 * const decoder = fieldDecoder(
 *   { level: 0, name: "L0", entryName: "PTE", shift: 12, indexBits: 9, page },
 *   {
 *     entryBytes: 4,
 *     physicalAddressBits: 32,
 *     presentBit: 1n,
 *     rightFlags: [],
 *     kindOf: (raw) => raw & 1n ? "page" : "notPresent",
 *   },
 * );
 * assertEquals(decoder.decode(0x5003n, 0x1000n, 0).reservedBits, 2n);
 * ```
 */
export function fieldDecoder(format: LevelFormat, options: FieldDecoderOptions): LevelDecoder {
  const { entryBytes, kindOf, confidentialBit: confidential, refine } = options;
  const names = new Set(
    [...format.table ?? [], ...format.page ?? []].flatMap(({ flag }) => flag ?? []),
  );
  const table = format.table && layoutOf(format.table, options);
  const page = format.page && layoutOf(format.page, options);

  function decode(raw: bigint, address: bigint, index: number): PageTableEntry {
    const kind = kindOf(raw);
    const layout = (kind === "page" ? page ?? table : table ?? page)!;
    const shape = shapeOf(layout, raw);
    let frame = 0n;
    for (const { mask, shift } of layout.frameParts) frame |= (raw & mask) << shift;
    const entry = {
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
    return refine === undefined || kind === "notPresent" ? entry : refine(entry);
  }

  // A large listing decodes millions of entries of a few shapes: naming the bits of each again would
  // take most of its time.
  function shapeOf(layout: Layout, raw: bigint): Shape {
    const bits = raw & layout.shapeMask;
    let shape = layout.shapes.get(bits);
    if (shape) return shape;
    const flags: Record<string, boolean> = {};
    for (const name of names) flags[name] = false;
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

  function fieldsOf(raw: bigint): readonly BitField[] {
    const layout = kindOf(raw | options.presentBit) === "table" ? table ?? page : page ?? table;
    return layout!.fields;
  }

  return { format, entryBytes, kindOf, decode, fieldsOf };
}

function layoutOf(fields: readonly BitField[], options: FieldDecoderOptions): Layout {
  const { entryBytes, confidentialBit, physicalAddressBits, isReserved, rightFlags } = options;
  const confidentialMask = confidentialBit ? 1n << BigInt(confidentialBit.bit) : 0n;
  const all = bitMask(0, entryBytes * 8);
  const frameParts: { mask: bigint; shift: bigint }[] = [];
  let known = confidentialMask;
  for (const field of fields) {
    if (isReserved?.(field)) continue;
    let width = field.width;
    if (field.addressBit !== undefined) {
      width = Math.max(0, Math.min(width, physicalAddressBits - field.addressBit));
      const mask = bitMask(field.low, width) & ~confidentialMask;
      frameParts.push({ mask, shift: BigInt(field.addressBit - field.low) });
    }
    known |= bitMask(field.low, width);
  }
  return {
    flagBits: fields.flatMap(({ flag, low }) =>
      flag === undefined ? [] : [[flag, 1n << BigInt(low)] as const]
    ),
    frameParts,
    shapeMask: all & ~frameParts.reduce((sum, { mask }) => sum | mask, 0n),
    reservedMask: all & ~known,
    hasRights: fields.some(({ flag }) => flag !== undefined && rightFlags.includes(flag)),
    fields: withReserved(fields, entryBytes * 8),
    shapes: new Map(),
  };
}

function bitMask(low: number, width: number): bigint {
  return ((1n << BigInt(width)) - 1n) << BigInt(low);
}

/** Cuts a field out of an entry; a part of an address is shifted to where it stands physically. */
export function fieldValue(raw: bigint, { low, width, addressBit }: BitField): bigint {
  const value = (raw >> BigInt(low)) & ((1n << BigInt(width)) - 1n);
  return addressBit === undefined ? value : value << BigInt(addressBit);
}

/** Fills the gaps between the fields, whose bits are reserved. */
function withReserved(fields: readonly BitField[], entryBits: number): BitField[] {
  const all: BitField[] = [];
  let next = 0;
  const end: BitField = { low: entryBits, width: 0, name: "", meaning: "" };
  for (const field of [...fields, end].toSorted((a, b) => a.low - b.low)) {
    if (field.low > next) {
      all.push({ low: next, width: field.low - next, name: "reserved", meaning: "must be 0" });
    }
    all.push(field);
    next = field.low + field.width;
  }
  return all.slice(0, -1);
}
