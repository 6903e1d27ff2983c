import type { RegisterFormats } from "../../arch/register_formats.ts";
import { ARCHITECTURES } from "../../arch/architectures.ts";
import type { DumpBytes } from "./dump_bytes.ts";
import { DumpFormatError } from "./errors.ts";

/** A piece of guest-physical memory in an ELF core. */
export interface ElfSegment {
  /** The guest-physical address of its first byte. */
  readonly physicalAddress: bigint;
  /** How many bytes of it are in the file; 0 for what is not RAM. */
  readonly fileBytes: bigint;
  /** Where they start in the file. */
  readonly offset: bigint;
}

/** What the headers of an ELF core say. */
export interface ElfCore {
  /** How the registers of its architecture are told. */
  readonly formats: RegisterFormats;
  /** Was vCPU 0 in long mode? QEMU takes the machine from that (`cpu_get_dump_info`). */
  readonly longMode: boolean;
  /** Was it taken with `-p`? Then segments have virtual addresses, and only mapped memory has any. */
  readonly paging: boolean;
  /** The segments with memory, in the order of the file. */
  readonly segments: readonly ElfSegment[];
  /** Where the notes are. */
  readonly notes: readonly { offset: bigint; lengthBytes: number }[];
}

/** Where the fields are in the headers of one class (System V ABI, ELF-64 object file format). */
interface ElfClass {
  readonly headerBytes: number;
  readonly phoff: number;
  readonly shoff: number;
  /** `e_phentsize`; `e_phnum` follows. */
  readonly phentsize: number;
  readonly ph: {
    readonly bytes: number;
    readonly offset: number;
    readonly vaddr: number;
    readonly paddr: number;
    readonly filesz: number;
  };
  /** `sh_info` in a section header. */
  readonly shInfo: number;
  word(view: DataView, at: number): bigint;
}

const CLASSES: Readonly<Record<number, ElfClass>> = {
  1: {
    ...{ headerBytes: 52, phoff: 28, shoff: 32, phentsize: 42, shInfo: 28 },
    ph: { bytes: 32, offset: 4, vaddr: 8, paddr: 12, filesz: 16 },
    word: (view, at) => BigInt(view.getUint32(at, true)),
  },
  2: {
    ...{ headerBytes: 64, phoff: 32, shoff: 40, phentsize: 54, shInfo: 44 },
    ph: { bytes: 56, offset: 8, vaddr: 16, paddr: 24, filesz: 32 },
    word: (view, at) => view.getBigUint64(at, true),
  },
};

const LITTLE_ENDIAN = 1;
const BIG_ENDIAN = 2;
const ET_CORE = 4;
const EM_X86_64 = 62;
/** Those that QEMU writes cores of besides the known ones (`dump_arch`). */
const MACHINES: Readonly<Record<number, string>> = {
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC",
  22: "s390x",
  40: "Arm",
  183: "AArch64",
  258: "LoongArch",
};
const PT_LOAD = 1;
const PT_NOTE = 4;
/** `e_phnum` when there are more headers than it can say; the number is in section header 0. */
const PN_XNUM = 0xffff;
const MAX_HEADERS = 1 << 20;
/** All of them together: those of 288 vCPUs take 250 KB. */
const MAX_NOTE_BYTES = 16 << 20;

/**
 * Reads the headers of an ELF core as `dump-guest-memory` writes it (QEMU 5.2 to 11.1): of 32 or 64
 * bits, with or without `-p`.
 *
 * @throws {DumpFormatError} if it is no such core
 */
export function readElfCore(bytes: DumpBytes): ElfCore {
  const { path } = bytes;
  const identity = bytes.at(0n, 20);
  const elf = CLASSES[identity.getUint8(4)];
  const isLittle = identity.getUint8(5) === LITTLE_ENDIAN;
  if (!elf || !isLittle && identity.getUint8(5) !== BIG_ENDIAN) {
    throw new DumpFormatError(path, "its ELF header is damaged: it has no class or byte order");
  }
  if (identity.getUint16(16, isLittle) !== ET_CORE) {
    throw new DumpFormatError(path, "it is an ELF file but not a core dump");
  }
  const machine = identity.getUint16(18, isLittle);
  const formats = ARCHITECTURES.map((each) => each.registers).find(({ dumpMachines }) =>
    dumpMachines.includes(machine)
  );
  if (formats === undefined) {
    const name = MACHINES[machine] ?? "another architecture";
    const problem = `it is not of an x86 or RISC-V guest but of ${name} (ELF machine ${machine})`;
    throw new DumpFormatError(path, problem);
  }
  if (!isLittle) throw new DumpFormatError(path, "its byte order is not its machine's");
  const segments: ElfSegment[] = [];
  const notes: { offset: bigint; lengthBytes: number }[] = [];
  let paging = false;
  let noteBytes = 0n;
  for (const view of programHeaders(bytes, elf)) {
    const type = view.getUint32(0, true);
    const offset = elf.word(view, elf.ph.offset);
    const fileBytes = elf.word(view, elf.ph.filesz);
    if (type === PT_LOAD) {
      const physicalAddress = elf.word(view, elf.ph.paddr);
      const virtualAddress = elf.word(view, elf.ph.vaddr);
      // Without -p it is 0 or the physical one, by QEMU's version.
      paging ||= virtualAddress !== 0n && virtualAddress !== physicalAddress;
      segments.push({ physicalAddress, fileBytes, offset });
    } else if (type === PT_NOTE) {
      noteBytes += fileBytes;
      if (noteBytes > MAX_NOTE_BYTES) {
        throw new DumpFormatError(
          path,
          `its notes would be ${noteBytes} bytes long, so it is damaged: dump the guest again`,
        );
      }
      notes.push({ offset, lengthBytes: Number(fileBytes) });
    }
  }
  return { formats, longMode: machine === EM_X86_64, paging, segments, notes };
}

function* programHeaders(bytes: DumpBytes, elf: ElfClass): Generator<DataView> {
  const header = bytes.at(0n, elf.headerBytes);
  const entryBytes = header.getUint16(elf.phentsize, true);
  let count = header.getUint16(elf.phentsize + 2, true);
  if (count === PN_XNUM) {
    const section = bytes.at(elf.word(header, elf.shoff), elf.shInfo + 4);
    count = section.getUint32(elf.shInfo, true);
  }
  if (entryBytes !== elf.ph.bytes || count > MAX_HEADERS) {
    throw new DumpFormatError(
      bytes.path,
      `its ELF header names ${count} program headers of ${entryBytes} bytes, so it is damaged: dump ` +
        "the guest again",
    );
  }
  const table = bytes.at(elf.word(header, elf.phoff), count * entryBytes);
  for (let i = 0; i < count; i++) {
    yield new DataView(table.buffer, table.byteOffset + i * entryBytes, elf.ph.bytes);
  }
}
