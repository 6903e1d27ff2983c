import type { DumpBytes } from "./dump_bytes.ts";
import { DumpFormatError } from "./errors.ts";

const PLAIN = 'at the monitor, use "dump-guest-memory FILE" without -z, -l, -s, -R or -w';

/** Files that are mistaken for dumps, by their first bytes; anything else may be raw memory. */
const NOT_READ: readonly [magic: string, problem: string][] = [
  ["KDUMP   ", `it is a kdump-compressed dump; ${PLAIN}`],
  ["makedumpfile", `it is a flattened kdump-compressed dump; ${PLAIN}`],
  ["PAGEDU64", `it is a Windows dump; ${PLAIN}`],
  ["PAGEDUMP", `it is a Windows dump; ${PLAIN}`],
  ["QFI\xfb", `it is a qcow2 disk image, not memory; ${PLAIN}`],
  ["QEVM", `it is a migration stream or a snapshot; ${PLAIN}`],
  ["\x1f\x8b", "it is compressed by gzip: run gunzip on it first"],
  ["\xfd7zXZ", "it is compressed by xz: run unxz on it first"],
  ["\x28\xb5\x2f\xfd", "it is compressed by zstd: run unzstd on it first"],
];

const LONGEST = 16;

/**
 * Says whether a dump is an ELF file or raw memory.
 *
 * @throws {DumpFormatError} if it is known to be something else, or empty
 */
export function dumpKind(bytes: DumpBytes): "elf" | "raw" {
  if (bytes.lengthBytes === 0) throw new DumpFormatError(bytes.path, "it is empty");
  const { buffer, byteOffset, byteLength } = bytes.at(0n, Math.min(LONGEST, bytes.lengthBytes));
  const head = String.fromCharCode(...new Uint8Array(buffer, byteOffset, byteLength));
  const found = NOT_READ.find(([magic]) => head.startsWith(magic));
  if (found) throw new DumpFormatError(bytes.path, found[1]);
  return head.startsWith("\x7fELF") ? "elf" : "raw";
}
