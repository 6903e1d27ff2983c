import { ByteCursor } from "./byte_cursor.ts";
import {
  type Abbreviation,
  type FormValue,
  readAbbreviations,
  readForm,
  type UnitFormat,
} from "./dwarf_form.ts";
import type { ElfFile } from "./elf_file.ts";
import { ElfFormatError } from "./errors.ts";

/** The tags of what is kept; functions and their parts are passed over. */
export const TAG = {
  ...{ array: 0x01, enumeration: 0x04, member: 0x0d, pointer: 0x0f, structure: 0x13 },
  ...{ typedef: 0x16, union: 0x17, subrange: 0x21, base: 0x24, const: 0x26, enumerator: 0x28 },
  ...{ variable: 0x34, volatile: 0x35, restrict: 0x37 },
} as const;

const UNIT_TAGS = new Set([0x11, 0x41]);
const SUBPROGRAM = 0x2e;
const KEPT = new Set<number>(Object.values(TAG));

/** The attributes that are kept. */
export const ATTRIBUTE = {
  ...{ name: 0x03, byteSize: 0x0b, constValue: 0x1c, upperBound: 0x2f, count: 0x37 },
  ...{ memberLocation: 0x38, type: 0x49 },
} as const;

const STR_OFFSETS_BASE = 0x72;
/** DW_OP_plus_uconst: how DWARF 2 says where a member lies. */
const PLUS_CONSTANT = 0x23;

/** An entry of `.debug_info` that is kept. */
export interface DwarfEntry {
  /** Where it begins: what others refer to it by. */
  readonly offset: number;
  readonly tag: number;
  /** Its name; null if it has none. */
  readonly name: string | null;
  /** Its numbers, by attribute. */
  readonly numbers: ReadonlyMap<number, bigint>;
  /** The entry of its type; null if it has none. */
  readonly type: number | null;
  /** What is in it. */
  readonly children: DwarfEntry[];
}

/** A kernel as small as students write has far less; a distribution's has hundreds of megabytes. */
const MAX_INFO_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 256;

type Sections = Readonly<
  Record<"info" | "abbrev" | "str" | "line_str" | "str_offsets", Uint8Array>
>;

interface Unit extends UnitFormat {
  readonly end: number;
  readonly abbreviations: Map<number, Abbreviation>;
  readonly stringOffsets: { base: number };
}

/** The debugging data of a file: types and variables, DWARF 2 to 5. */
export class Dwarf {
  /** The types and variables outside of functions, in the file's order. */
  readonly top: DwarfEntry[] = [];
  readonly #entries = new Map<number, DwarfEntry>();
  readonly #sections: Sections;

  private constructor(sections: Sections) {
    this.#sections = sections;
    const cursor = new ByteCursor(sections.info);
    while (cursor.at < cursor.length) this.#readUnit(cursor);
  }

  /**
   * Reads a file's debugging data; null if it has none.
   *
   * @throws {ElfFormatError} if it is damaged, too large or in a form that is not read
   */
  static async of(file: ElfFile): Promise<Dwarf | null> {
    const [info, abbrev] = [await file.section(".debug_info"), await file.section(".debug_abbrev")];
    if (info === null || abbrev === null) return null;
    if (info.length > MAX_INFO_BYTES) {
      throw new ElfFormatError(
        "has more than 64 MiB of debugging data: it is not a kernel of this kind",
      );
    }
    const empty = new Uint8Array(0);
    return new Dwarf({
      info,
      abbrev,
      str: await file.section(".debug_str") ?? empty,
      line_str: await file.section(".debug_line_str") ?? empty,
      str_offsets: await file.section(".debug_str_offsets") ?? empty,
    });
  }

  /** The entry at an offset; null if none is kept there. */
  at(offset: number | null): DwarfEntry | null {
    return offset === null ? null : this.#entries.get(offset) ?? null;
  }

  #readUnit(cursor: ByteCursor): void {
    const start = cursor.at;
    let length = cursor.number(4);
    const offsetBytes = length === 0xffff_ffff ? 8 : 4;
    if (offsetBytes === 8) length = cursor.number(8);
    const end = cursor.at + length;
    const version = cursor.number(2);
    if (version < 2 || version > 5) {
      throw new ElfFormatError(`has DWARF ${version}: 2 to 5 are read`);
    }
    let [addressBytes, abbreviationsAt] = [0, 0];
    if (version === 5) {
      const type = cursor.number(1);
      addressBytes = cursor.number(1);
      abbreviationsAt = cursor.number(offsetBytes);
      if (type === 2 || type === 6) cursor.skip(8 + offsetBytes); // a unit of one type
      else if (type === 4 || type === 5) cursor.skip(8); // one whose rest is in a file of its own
    } else {
      abbreviationsAt = cursor.number(offsetBytes);
      addressBytes = cursor.number(1);
    }
    const unit: Unit = {
      ...{ start, end, version, offsetBytes, addressBytes },
      abbreviations: readAbbreviations(new ByteCursor(this.#sections.abbrev, abbreviationsAt)),
      stringOffsets: { base: offsetBytes === 8 ? 16 : 8 },
    };
    this.#readSiblings(cursor, unit, this.top, 0);
    cursor.at = cursor.skip(0) > end ? cursor.at : new ByteCursor(this.#sections.info, end).skip(0);
  }

  /** Reads entries up to the end of their parent; those in functions are read and not kept. */
  #readSiblings(cursor: ByteCursor, unit: Unit, into: DwarfEntry[] | null, depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new ElfFormatError("is damaged: its DWARF is nested without an end");
    }
    while (cursor.at < unit.end) {
      const offset = cursor.at;
      const code = Number(cursor.uleb());
      if (code === 0) return;
      const abbreviation = unit.abbreviations.get(code);
      if (abbreviation === undefined) {
        throw new ElfFormatError(`is damaged: its DWARF has no abbreviation ${code}`);
      }
      const { tag, hasChildren } = abbreviation;
      const entry = this.#readEntry(cursor, unit, abbreviation, offset);
      const isKept = into !== null && KEPT.has(tag);
      if (isKept) {
        into.push(entry);
        this.#entries.set(offset, entry);
      }
      if (!hasChildren) continue;
      const isUnit = UNIT_TAGS.has(tag);
      // Types that a function has of its own are no variable's that is read here.
      const kept = tag === SUBPROGRAM ? null : isUnit ? into : isKept ? entry.children : null;
      this.#readSiblings(cursor, unit, kept, depth + 1);
    }
  }

  #readEntry(
    cursor: ByteCursor,
    unit: Unit,
    { attributes, tag }: Abbreviation,
    offset: number,
  ): DwarfEntry {
    const numbers = new Map<number, bigint>();
    let [nameValue, type]: [FormValue | null, number | null] = [null, null];
    for (const { name, form, implicit } of attributes) {
      const value = readForm(cursor, form, unit, implicit);
      if (name === ATTRIBUTE.name) nameValue = value;
      else if (name === ATTRIBUTE.type && value.kind === "entry") type = value.offset;
      else if (name === STR_OFFSETS_BASE && value.kind === "number") {
        unit.stringOffsets.base = Number(value.value);
      } else if (value.kind === "number") numbers.set(name, value.value);
      else if (name === ATTRIBUTE.memberLocation && value.kind === "block") {
        const block = new ByteCursor(this.#sections.info, value.at);
        if (block.number(1) === PLUS_CONSTANT) numbers.set(name, block.uleb());
      }
    }
    const name = nameValue && KEPT.has(tag) ? this.#textOf(nameValue, unit) : null;
    return { offset, tag, name, numbers, type, children: [] };
  }

  #textOf(value: FormValue, unit: Unit): string | null {
    switch (value.kind) {
      case "text":
        return value.text;
      case "textAt":
        return new ByteCursor(this.#sections[value.section], value.offset).text();
      case "textIndex": {
        const at = unit.stringOffsets.base + value.index * unit.offsetBytes;
        const offset = new ByteCursor(this.#sections.str_offsets, at).number(unit.offsetBytes);
        return new ByteCursor(this.#sections.str, offset).text();
      }
    }
    return null;
  }
}
