import { InvalidArgumentError } from "../../core/errors.ts";
import { viewOf } from "../reader.ts";

/** A section of an ELF file. */
export interface ElfSection {
  /** Its name, such as `.BTF`. */
  readonly name: string;
  /** Where its bytes begin in the file. */
  readonly offset: number;
  /** How many it has. */
  readonly lengthBytes: number;
  /** Is it kept compressed? */
  readonly isCompressed: boolean;
  /** Does it hold notes? */
  readonly isNotes: boolean;
}

// Elf64_Ehdr and Elf64_Shdr (include/uapi/linux/elf.h).
const HEADER = { bytes: 64, class: 4, order: 5, sections: 40, count: 60, names: 62 } as const;
const SECTION = { bytes: 64, name: 0, type: 4, flags: 8, offset: 24, size: 32 } as const;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const SHT_NOTE = 7;
const SHF_COMPRESSED = 0x800n;
/** Bounds for hostile files: a kernel with a section for each function has some 100,000. */
const MAX_SECTIONS = 0xff00;
const MAX_NAMES_BYTES = 16 * 1024 * 1024;
const MAX_SECTION_BYTES = 64 * 1024 * 1024;

/** An open file, read by pieces: a kernel with debug information has hundreds of megabytes. */
export class ElfFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Is it an ELF file? */
  static isElf(head: Uint8Array): boolean {
    return head.length >= HEADER.bytes && viewOf(head).getUint32(0, false) === 0x7f45_4c46;
  }

  /**
   * The sections that it has.
   *
   * @throws {InvalidArgumentError} if it is not of 64 bits, little-endian and whole
   */
  async sections(): Promise<ElfSection[]> {
    const head = await this.read(0, HEADER.bytes);
    if (head[HEADER.class] !== CLASS_64 || head[HEADER.order] !== LITTLE_ENDIAN) {
      throw this.#refused("it is not of 64 bits and little-endian");
    }
    const view = viewOf(head);
    const [count, names] = [view.getUint16(HEADER.count, true), view.getUint16(HEADER.names, true)];
    const start = Number(view.getBigUint64(HEADER.sections, true));
    if (count > MAX_SECTIONS || names >= count) throw this.#refused("its table of sections is cut");
    const table = viewOf(await this.read(start, count * SECTION.bytes));
    const at = (i: number) => ({
      nameAt: table.getUint32(i * SECTION.bytes + SECTION.name, true),
      offset: Number(table.getBigUint64(i * SECTION.bytes + SECTION.offset, true)),
      lengthBytes: Number(table.getBigUint64(i * SECTION.bytes + SECTION.size, true)),
      isNotes: table.getUint32(i * SECTION.bytes + SECTION.type, true) === SHT_NOTE,
      isCompressed: Boolean(
        table.getBigUint64(i * SECTION.bytes + SECTION.flags, true) & SHF_COMPRESSED,
      ),
    });
    const { offset, lengthBytes } = at(names);
    if (lengthBytes > MAX_NAMES_BYTES) throw this.#refused("its names of sections are too long");
    const texts = await this.read(offset, lengthBytes);
    return Array.from({ length: count }, (_, i) => {
      const { nameAt, ...section } = at(i);
      const end = texts.indexOf(0, nameAt);
      return { ...section, name: latin1.decode(texts.subarray(nameAt, end < 0 ? nameAt : end)) };
    });
  }

  /**
   * The bytes of a section.
   *
   * @throws {InvalidArgumentError} if it is compressed, too long or cut off
   */
  async bytesOf(section: ElfSection): Promise<Uint8Array<ArrayBuffer>> {
    const { name, offset, lengthBytes, isCompressed } = section;
    if (isCompressed) throw this.#refused(`its section ${name} is compressed`);
    if (lengthBytes > MAX_SECTION_BYTES) throw this.#refused(`its section ${name} is too long`);
    return await this.read(offset, lengthBytes);
  }

  /** Reads exactly so many bytes. @throws {InvalidArgumentError} if the file ends before */
  async read(offset: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { size } = await this.#file.stat();
    if (!Number.isSafeInteger(offset) || offset + lengthBytes > size) {
      throw this.#refused("it is cut off");
    }
    await this.#file.seek(offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(lengthBytes);
    for (let done = 0; done < lengthBytes;) {
      const read = await this.#file.read(bytes.subarray(done));
      if (read === null) throw this.#refused("it is cut off");
      done += read;
    }
    return bytes;
  }

  #refused(why: string): InvalidArgumentError {
    return new InvalidArgumentError(`${this.#path} cannot be read as an ELF file: ${why}`, {});
  }
}

const latin1 = new TextDecoder("latin1");
