import { InvalidArgumentError } from "../../core/errors.ts";
import { openRegularFile, readUpTo } from "../../core/regular_file.ts";
import { KernelFormatError } from "../errors.ts";
import { viewOf } from "../reader.ts";
import { type BtfBase, BtfBlob, decodeBtfHeader } from "./btf_source.ts";
import { ElfFile, type ElfSection } from "./elf_section.ts";

/** Types out of a file. */
export interface TypeFile {
  /** The path as given. */
  readonly path: string;
  /** The types. */
  readonly types: BtfBlob;
  /** The id of the build that they belong to, in hexadecimal; null if the file does not tell. */
  readonly buildId: string | null;
}

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const NT_GNU_BUILD_ID = 3;
const HOW_TO = "write the kernel's types with: pahole --btf_encode_detached FILE vmlinux";

/**
 * Reads types from a file: raw BTF, as `pahole --btf_encode_detached` and `/sys/kernel/btf` have it, or the
 * section `.BTF` of a vmlinux or a module.
 *
 * @param base what a module's types build on
 * @throws {InvalidArgumentError} if it is neither, or damaged
 * @throws {FileRefusedError} if it is no regular file
 */
export async function readTypeFile(path: string, base: BtfBase | null = null): Promise<TypeFile> {
  using file = await openRegularFile(path);
  const head = new Uint8Array(64);
  await file.read(head);
  await file.seek(0, Deno.SeekMode.Start);
  if (!ElfFile.isElf(head)) {
    const types = typesIn(path, await readUpTo(file, path, MAX_FILE_BYTES), base);
    return { path, types, buildId: null };
  }
  const elf = new ElfFile(path, file);
  const sections = await elf.sections();
  const named = (name: string) => sections.find((section) => section.name === name);
  const section = named(".BTF");
  if (!section) {
    throw new InvalidArgumentError(`${path} has no types (no section .BTF): ${HOW_TO}`, {});
  }
  if (named(".BTF.base")) {
    throw new InvalidArgumentError(
      `${path} was built outside its kernel (it has a section .BTF.base): its types cannot be used`,
      {},
    );
  }
  return {
    path,
    types: typesIn(path, await elf.bytesOf(section), base),
    buildId: await buildIdOf(elf, sections),
  };
}

function typesIn(path: string, bytes: Uint8Array, base: BtfBase | null): BtfBlob {
  try {
    const { typesAt, typesBytes, stringsAt, stringsBytes } = decodeBtfHeader(bytes);
    if (Math.max(typesAt + typesBytes, stringsAt + stringsBytes) > bytes.length) {
      throw new InvalidArgumentError(`${path} is cut off: its types go on beyond its end`, {});
    }
    return new BtfBlob(bytes, base);
  } catch (cause) {
    if (!(cause instanceof KernelFormatError)) throw cause;
    throw new InvalidArgumentError(`${path} is not a file of types (BTF): ${HOW_TO}`, {}, {
      cause,
    });
  }
}

/** The id among the notes of an ELF file; null if it has none. */
async function buildIdOf(elf: ElfFile, sections: readonly ElfSection[]): Promise<string | null> {
  for (const section of sections.filter(({ isNotes }) => isNotes)) {
    const bytes = await elf.bytesOf(section);
    const view = viewOf(bytes);
    // Elf64_Nhdr: the lengths of the name and of what it says, and the type; each is padded to 4 bytes.
    for (let at = 0; at + 12 <= bytes.length;) {
      const [nameBytes, saysBytes] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
      const says = at + 12 + (nameBytes + 3 & ~3);
      const end = says + saysBytes;
      if (nameBytes > bytes.length || saysBytes > bytes.length || end > bytes.length) break;
      const name = latin1.decode(bytes.subarray(at + 12, at + 12 + nameBytes));
      if (name === "GNU\0" && view.getUint32(at + 8, true) === NT_GNU_BUILD_ID) {
        return bytes.subarray(says, end).toHex();
      }
      at = says + (saysBytes + 3 & ~3);
    }
  }
  return null;
}

const latin1 = new TextDecoder("latin1");
