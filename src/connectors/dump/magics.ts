import type { DumpBytes } from "./dump_bytes.ts";
import { DumpFormatError } from "./errors.ts";

/** A kind of file that is not guest memory byte by byte, and what it begins with. */
interface Container {
  /** The bytes, each a character. */
  readonly magic: string;
  /** Where they are in the file. @default {0} */
  readonly at?: number;
  /** What it is, and what to do. */
  readonly problem: string;
}

const PLAIN = 'at the monitor, use "dump-guest-memory FILE" without -z, -l, -s, -R or -w';
const NO_DUMP = `not a memory dump; ${PLAIN}`;
const VIRSH = "use virsh dump --memory-only DOMAIN FILE";
const LIBVIRT = `it is a domain saved by libvirt, with QEMU's migration stream inside; ${VIRSH}`;
const AVML = "convert it to raw memory with avml-convert, and give the layout of its ranges";
const LIME =
  "its ranges have headers between them; take it with format=raw, and give the layout of its " +
  "ranges";
const VMWARE = "it is a VMware saved state: its .vmem file beside it is the raw memory";
const HIBERNATION = `it is a hibernation file, compressed page by page; ${PLAIN}`;
const unpack = (by: string) => `it is compressed by ${by}: unpack it first`;
const archive = (kind: string) => `it is a ${kind} archive: unpack it first`;

/**
 * Files that are mistaken for raw memory. Where two bytes alone mark a kind, a third that all its files
 * have is asked for, since raw memory begins with the BIOS's interrupt vectors.
 */
export const CONTAINERS: readonly Container[] = [
  // Dumps that other tools read.
  { magic: "KDUMP   ", problem: `it is a kdump-compressed dump; ${PLAIN}` },
  { magic: "DISKDUMP", problem: `it is a diskdump; ${PLAIN}` },
  { magic: "makedumpfile", problem: `it is a flattened kdump-compressed dump; ${PLAIN}` },
  { magic: "PAGEDU64", problem: `it is a Windows crash dump; ${PLAIN}` },
  { magic: "PAGEDUMP", problem: `it is a Windows crash dump; ${PLAIN}` },
  { magic: "MDMP", problem: `it is a Windows minidump of a process; ${PLAIN}` },
  { magic: "EMiL", problem: `it is a LiME dump: ${LIME}` },
  { magic: "AVML", problem: `it is an AVML dump, compressed: ${AVML}` },
  { magic: "hibr", problem: HIBERNATION },
  { magic: "HIBR", problem: HIBERNATION },
  { magic: "wake", problem: HIBERNATION },
  { magic: "WAKE", problem: HIBERNATION },
  { magic: "S1SUSPEND", at: 4086, problem: HIBERNATION },
  { magic: "SWAPSPACE2", at: 4086, problem: `it is Linux swap space, ${NO_DUMP}` },
  // Saved guests.
  { magic: "QEVM", problem: `it is a migration stream or a snapshot; ${PLAIN}` },
  { magic: "LibvirtQemudSave", problem: LIBVIRT },
  { magic: "LibvirtQemudPart", problem: `${LIBVIRT} (and this save did not finish)` },
  { magic: "Xen saved domain", problem: `it is a domain saved by Xen; ${PLAIN}` },
  { magic: "\xd0\xbe\xd2\xbe", problem: VMWARE },
  { magic: "\xd1\xba\xd1\xba", problem: VMWARE },
  { magic: "\xd2\xbe\xd2\xbe", problem: VMWARE },
  { magic: "\xd3\xbe\xd3\xbe", problem: VMWARE },
  { magic: "\x7fVirtualBox SavedState", problem: `it is a VirtualBox saved state; ${PLAIN}` },
  { magic: "\x14\x20\x28\x01", problem: `it is a Hyper-V saved state; ${PLAIN}` },
  // Disks.
  { magic: "QFI\xfb", problem: `it is a qcow2 disk image, ${NO_DUMP}` },
  { magic: "QED\0", problem: `it is a QED disk image, ${NO_DUMP}` },
  { magic: "KDMV", problem: `it is a VMDK disk image, ${NO_DUMP}` },
  { magic: "COWD", problem: `it is a VMDK disk image, ${NO_DUMP}` },
  { magic: "# Disk DescriptorFile", problem: `it describes a VMDK disk image, ${NO_DUMP}` },
  { magic: "conectix", problem: `it is a VHD disk image, ${NO_DUMP}` },
  { magic: "vhdxfile", problem: `it is a VHDX disk image, ${NO_DUMP}` },
  { magic: "\x7f\x10\xda\xbe", at: 64, problem: `it is a VDI disk image, ${NO_DUMP}` },
  { magic: "\x55\xaaEFI PART", at: 510, problem: `it is a disk image, ${NO_DUMP}` },
  // Compressed files and archives.
  { magic: "\x1f\x8b\x08", problem: unpack("gzip") },
  { magic: "\xfd7zXZ\0", problem: unpack("xz") },
  { magic: "\x28\xb5\x2f\xfd", problem: unpack("zstd") },
  { magic: "BZh", problem: unpack("bzip2") },
  { magic: "\x04\x22\x4d\x18", problem: unpack("lz4") },
  { magic: "\x02\x21\x4c\x18", problem: unpack("lz4 (legacy)") },
  { magic: "\x89LZO\0", problem: unpack("lzop") },
  { magic: "LZIP", problem: unpack("lzip") },
  { magic: "\xff\x06\0\0sNaPpY", problem: unpack("snappy") },
  { magic: "PK\x03\x04", problem: archive("zip") },
  { magic: "PK\x05\x06", problem: archive("zip") },
  { magic: "7z\xbc\xaf\x27\x1c", problem: archive("7z") },
  { magic: "Rar!\x1a\x07", problem: archive("rar") },
  { magic: "ustar", at: 257, problem: archive("tar") },
  { magic: "070701", problem: archive("cpio") },
  { magic: "070702", problem: archive("cpio") },
  { magic: "!<arch>\n", problem: archive("ar") },
  // Files of one's own.
  { magic: '{"pagewalk":"recording"', problem: "it is a recording: open it as replay:FILE" },
  { magic: "PWSNAP\r\n", problem: "it is a snapshot of page tables: diff.ts and audit.ts read it" },
];

const HEAD_BYTES = Math.max(...CONTAINERS.map(({ magic, at = 0 }) => at + magic.length));

/**
 * Says whether a dump is an ELF file or raw memory.
 *
 * @throws {DumpFormatError} if it is known to be something else, or empty
 */
export function dumpKind(bytes: DumpBytes): "elf" | "raw" {
  if (bytes.lengthBytes === 0) throw new DumpFormatError(bytes.path, "it is empty");
  const { buffer, byteOffset, byteLength } = bytes.at(0n, Math.min(HEAD_BYTES, bytes.lengthBytes));
  const head = String.fromCharCode(...new Uint8Array(buffer, byteOffset, byteLength));
  const found = CONTAINERS.find(({ magic, at = 0 }) => head.startsWith(magic, at));
  if (found) throw new DumpFormatError(bytes.path, found.problem);
  return head.startsWith("\x7fELF") ? "elf" : "raw";
}
