import { ByteCursor } from "./byte_cursor.ts";
import { ElfFormatError } from "./errors.ts";

/** A part of the program that is loaded into memory. */
export interface ElfSegment {
  /** Where the program has it. */
  readonly virtual: bigint;
  /** Where a loader puts it. */
  readonly physical: bigint;
  /** How long it is in memory. */
  readonly lengthBytes: bigint;
  /** What of it the file has. */
  readonly bytes: Uint8Array;
}

/** A symbol with an address. */
export interface ElfSymbol {
  /** Where it is, as `nm` says it: `T` code, `D` data, `B` data that begins as 0, `R` constants. */
  readonly type: string;
  /** Its name. */
  readonly name: string;
  /** Its address. */
  readonly address: bigint;
  /** Its length in bytes; 0 where the file does not tell. */
  readonly sizeBytes: bigint;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

const LITTLE_ENDIAN = 1;
const SYMBOL_TABLE = 2;
const NO_BITS = 8;
const COMPRESSED = 0x800;
const ZLIB = 1;
const LOADED = 1;
/** STT_NOTYPE, STT_OBJECT and STT_FUNC: others are sections and files. */
const LAST_SYMBOL_TYPE = 2;
/** A compressed section of more is no teaching kernel's, but a trap. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

/**
 * An ELF file of 32 or 64 bits, as a kernel is linked: its segments, symbols and sections (System V ABI,
 * chapter 4). Nothing is read beyond the bytes that are given.
 */
export class ElfFile {
  /** How many bytes an address has. */
  readonly addressBytes: 4 | 8;
  /** The number of its architecture (`e_machine`): 243 is RISC-V, 62 x86-64, 3 i386. */
  readonly machine: number;
  /** What is loaded into memory. */
  readonly segments: readonly ElfSegment[];
  readonly #bytes: Uint8Array;
  readonly #sections: readonly Section[];

  /**
   * Reads a file's headers.
   *
   * @throws {ElfFormatError} if it is no ELF file, or damaged
   */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const cursor = new ByteCursor(bytes);
    if (bytes.length < 52 || cursor.number(4) !== 0x464c457f) {
      throw new ElfFormatError("has no ELF header: give the kernel as it was linked, with symbols");
    }
    this.addressBytes = bytes[4] === 2 ? 8 : 4;
    if (bytes[5] !== LITTLE_ENDIAN) throw new ElfFormatError("is big-endian, which is not read");
    const word = this.addressBytes;
    cursor.at = 18;
    this.machine = cursor.number(2);
    cursor.at = 24 + word;
    const [programs, sections] = [cursor.number(word), cursor.number(word)];
    cursor.skip(6);
    const [, programCount, , sectionCount, names] = [2, 2, 2, 2, 2].map((n) => cursor.number(n));
    this.segments = this.#readSegments(programs, programCount!);
    this.#sections = this.#readSections(sections, sectionCount!, names!);
  }

  /**
   * The bytes of a section, unpacked; null if there is none of that name.
   *
   * @throws {ElfFormatError} if it is damaged
   */
  async section(name: string): Promise<Uint8Array | null> {
    const found = this.#sections.find((section) => section.name === name);
    if (found === undefined || found.type === NO_BITS) return null;
    const bytes = this.#slice(found.offset, found.size);
    return found.flags & COMPRESSED ? await this.#unpacked(bytes) : bytes;
  }

  /**
   * All symbols of variables and functions, in the file's order.
   *
   * @throws {ElfFormatError} if the table is damaged
   */
  symbols(): ElfSymbol[] {
    const table = this.#sections.find(({ type }) => type === SYMBOL_TABLE);
    const texts = table && this.#sections[table.link];
    if (!table || !texts) return [];
    const names = this.#slice(texts.offset, texts.size);
    const entries = this.#slice(table.offset, table.size);
    const symbols: ElfSymbol[] = [];
    const entryBytes = this.addressBytes === 8 ? 24 : 16;
    for (let at = 0; at + entryBytes <= entries.length; at += entryBytes) {
      const cursor = new ByteCursor(entries, at);
      const nameAt = cursor.number(4);
      const [info, sectionAt, address, sizeBytes] = this.addressBytes === 8
        ? [cursor.number(2) & 0xff, cursor.number(2), cursor.unsigned(8), cursor.unsigned(8)]
        : this.#shortSymbol(cursor);
      if ((info & 15) > LAST_SYMBOL_TYPE || sectionAt === 0 || nameAt === 0) continue;
      const name = new ByteCursor(names, nameAt).text();
      // `$x` and `$d` mark code and data for disassemblers: they name nothing.
      if (name.startsWith("$")) continue;
      const letter = letterOf(this.#sections[sectionAt]);
      // A local one is written small.
      const type = info >> 4 === 0 ? letter.toLowerCase() : letter;
      symbols.push({ type, name, address, sizeBytes });
    }
    return symbols;
  }

  #shortSymbol(cursor: ByteCursor): [number, number, bigint, bigint] {
    const [address, sizeBytes] = [cursor.unsigned(4), cursor.unsigned(4)];
    return [cursor.number(2) & 0xff, cursor.number(2), address, sizeBytes];
  }

  #readSegments(offset: number, count: number): ElfSegment[] {
    const word = this.addressBytes;
    const segments: ElfSegment[] = [];
    for (let i = 0; i < count; i++) {
      const cursor = new ByteCursor(this.#bytes, offset + i * (word === 8 ? 56 : 32));
      if (cursor.number(4) !== LOADED) continue;
      if (word === 8) cursor.skip(4); // p_flags; with 32 bits they follow the lengths
      const at = cursor.number(word);
      const [virtual, physical] = [cursor.unsigned(word), cursor.unsigned(word)];
      const [fileBytes, lengthBytes] = [cursor.number(word), cursor.unsigned(word)];
      segments.push({ virtual, physical, lengthBytes, bytes: this.#slice(at, fileBytes) });
    }
    return segments;
  }

  #readSections(offset: number, count: number, nameIndex: number): Section[] {
    const word = this.addressBytes;
    const raw = Array.from({ length: count }, (_, i) => {
      const cursor = new ByteCursor(this.#bytes, offset + i * (word === 8 ? 64 : 40));
      const [name, type] = [cursor.number(4), cursor.number(4)];
      const flags = cursor.number(word);
      cursor.skip(word);
      const [at, size] = [cursor.number(word), cursor.number(word)];
      return { nameAt: name, type, flags, offset: at, size, link: cursor.number(4) };
    });
    const names = raw[nameIndex];
    if (names === undefined) return [];
    const texts = this.#slice(names.offset, names.size);
    return raw.map(({ nameAt, ...section }) => ({
      ...section,
      name: nameAt < texts.length ? new ByteCursor(texts, nameAt).text() : "",
    }));
  }

  #slice(offset: number, lengthBytes: number): Uint8Array {
    const from = new ByteCursor(this.#bytes, offset).skip(lengthBytes);
    return this.#bytes.subarray(from, from + lengthBytes);
  }

  /** A section that the linker has compressed (`--compress-debug-sections=zlib`). */
  async #unpacked(bytes: Uint8Array): Promise<Uint8Array> {
    const cursor = new ByteCursor(bytes);
    const type = cursor.number(4);
    if (this.addressBytes === 8) cursor.skip(4);
    const size = cursor.number(this.addressBytes);
    cursor.skip(this.addressBytes);
    if (type !== ZLIB) {
      throw new ElfFormatError("has sections compressed by zstd, which is not read");
    }
    if (size > MAX_UNPACKED_BYTES) throw new ElfFormatError("has a section of more than 256 MiB");
    const unpacked = new Uint8Array(size);
    let at = 0;
    const source = new Blob([bytes.slice(cursor.at)]).stream();
    try {
      for await (const piece of source.pipeThrough(new DecompressionStream("deflate"))) {
        if (at + piece.length > size) break;
        unpacked.set(piece, at);
        at += piece.length;
      }
    } catch (cause) {
      throw new ElfFormatError("is damaged: a section cannot be unpacked", { cause });
    }
    if (at !== size) throw new ElfFormatError("is damaged: a section has another length");
    return unpacked;
  }
}

const WRITABLE = 1;
const EXECUTABLE = 4;

function letterOf(section: Section | undefined): string {
  if (section === undefined) return "A"; // of no section: an absolute value
  if (section.flags & EXECUTABLE) return "T";
  if (section.type === NO_BITS) return "B";
  return section.flags & WRITABLE ? "D" : "R";
}
