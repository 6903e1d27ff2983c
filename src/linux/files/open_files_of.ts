import { FILE_MODE } from "../file_abi.ts";
import { checkOptions, SIGNAL } from "../../core/options.ts";
import type { ReadOptions } from "../../memory/physical_memory.ts";
import { BatchingReader } from "../batching_reader.ts";
import { isChange } from "../changed.ts";
import { CapabilityError, InconsistentListError, KernelFormatError } from "../errors.ts";
import type { PagewalkError } from "../../core/errors.ts";
import { FilePaths } from "../file_paths.ts";
import { kernelOf, type LinuxGuest } from "../linux_guest.ts";
import { type OpenFile, readFilesOfThreads } from "../open_files.ts";
import type { LinuxProcess } from "../processes.ts";
import { readU64, viewOf } from "../reader.ts";
import { type StructOffsets, StructReader } from "../struct_reader.ts";

/** What an open file is (the type in its inode's mode). */
export type OpenFileKind =
  | "file"
  | "directory"
  | "character device"
  | "block device"
  | "pipe"
  | "socket"
  | "link"
  | "other";

/** An open file of a process, by its name. */
export interface LinuxOpenFile {
  /** Its number in the process, or in the one thread that has files of its own. */
  readonly fd: number;
  /**
   * Its path as the mounts of its container have it: `/dev/vfio/12`, also where a container has a root of
   * its own; `pipe:[INODE]`, `socket:[INODE]` and `anon_inode:NAME` for what has none. Null if it cannot
   * be read.
   */
  readonly path: string | null;
  /** What it is. */
  readonly kind: OpenFileKind;
  /** A device's number; null for what is none. */
  readonly device: { readonly major: number; readonly minor: number } | null;
}

/** A process and what it has open. */
export interface ProcessFiles {
  /** The process. */
  readonly process: LinuxProcess;
  /** Its open files, by their numbers; those that were open all the time. */
  readonly files: readonly LinuxOpenFile[];
  /** Why they could not be read; null if they were. */
  readonly error: PagewalkError | null;
}

const KINDS: Readonly<Record<number, OpenFileKind>> = {
  0x1000: "pipe",
  0x2000: "character device",
  0x4000: "directory",
  0x6000: "block device",
  0x8000: "file",
  0xa000: "link",
  0xc000: "socket",
};
const INODE = { i_mode: 2, i_rdev: 4, i_ino: 8 } as const;
const ATTEMPTS = 3;
/** What has neither a directory nor a name of its own: a pipe, a socket, a namespace. */
const NAMELESS = "/ (deleted)";

/**
 * Lists what processes have open, by name: all processes that have memory, or those given. What lies in one
 * packet is read for all of them at once; a thread that has
 * files of its own is looked at, too.
 *
 * @throws {CapabilityError} if the kernel has no type data (BTF)
 * @throws {InconsistentListError} if the list of processes changes faster than it can be read
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { readProcessFiles } from "@pagewalk/pagewalk/linux";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const holders = async () =>
 *   (await readProcessFiles(await guest.linux()))
 *     .filter(({ files }) => files.some(({ path }) => path === "/dev/vfio/12"));
 * await assertRejects(holders, LinuxNotFoundError); // it runs no kernel
 * ```
 */
export async function readProcessFiles(
  linux: LinuxGuest,
  processes?: readonly LinuxProcess[],
  options: ReadOptions = {},
): Promise<ProcessFiles[]> {
  checkOptions(options, "the options of a reading", { signal: SIGNAL });
  const asked = processes ??
    (await linux.processes(options)).filter(({ isKernelThread }) => !isKernelThread);
  const kernel = kernelOf(linux);
  const offsets = new Map([...await kernel.offsets("vmas"), ...await kernel.offsets("files")]);
  const anonInodeOperations = await kernel.address("anon_inodefs_dentry_operations");
  const reader = new BatchingReader(kernel.live, options);
  const paths = () => new FilePaths(reader, offsets, { anonInodeOperations });
  const names = { reader, offsets, paths, shared: paths() };
  const found = await Promise.all(asked.map(async (process) => {
    try {
      const files = await filesOf(linux, reader, offsets, process, options);
      return { process, files: await named(names, files), error: null };
    } catch (error) {
      if (!isUnread(error)) throw error;
      return { process, files: [], error };
    }
  }));
  await kernel.keepKnowledge();
  return found;
}

function filesOf(
  linux: LinuxGuest,
  reader: BatchingReader,
  offsets: StructOffsets,
  process: LinuxProcess,
  options: ReadOptions,
): Promise<OpenFile[]> {
  const { task, threadCount } = process;
  const threads = async () => (await linux.threads(process, options)).map(({ task }) => task);
  return readFilesOfThreads(reader, offsets, { task, threadCount, threads }, options);
}

interface Names {
  readonly reader: BatchingReader;
  readonly offsets: StructOffsets;
  /** For all files: what they have in common is read once. */
  readonly shared: FilePaths;
  /** Reads names anew. */
  paths(): FilePaths;
}

/** Names files, and leaves out those that were closed meanwhile: theirs would be garbage. */
async function named(names: Names, files: readonly OpenFile[]): Promise<LinuxOpenFile[]> {
  const all = await Promise.all(files.map(async (file) => {
    for (let attempt = 0;; attempt++) {
      const paths = attempt === 0 ? names.shared : names.paths();
      const result = await nameOf(names, paths, file);
      const now = await readU64(names.reader, file.slot).catch(ofChange);
      if (now !== file.file) return [];
      if (result !== null) return [result];
      if (attempt === ATTEMPTS) {
        return [{ fd: file.fd, path: null, kind: "other" as const, device: null }];
      }
    }
  }));
  return all.flat();
}

async function nameOf(
  { offsets, reader }: Names,
  paths: FilePaths,
  { fd, file, inode }: OpenFile,
): Promise<LinuxOpenFile | null> {
  try {
    const inodes = new StructReader("inode", INODE, offsets);
    const [path, view] = await Promise.all([paths.pathOf(file), inodes.read(reader, inode)]);
    const type = view.u32("i_mode") & FILE_MODE.TYPE_MASK;
    const kind = KINDS[type] ?? "other";
    const isDevice = kind === "character device" || kind === "block device";
    const number = viewOf(view.bytes("i_rdev")).getUint32(0, true);
    const short = kind === "pipe" || kind === "socket" ? kind : "inode";
    return {
      fd,
      path: path === NAMELESS ? `${short}:[${view.u64("i_ino")}]` : path,
      kind,
      // include/linux/kdev_t.h: 12 bits and 20.
      device: isDevice ? { major: number >>> 20, minor: number & 0xf_ffff } : null,
    };
  } catch (error) {
    if (!isChange(error) && !(error instanceof KernelFormatError)) throw error;
    return null;
  }
}

function ofChange(error: unknown): null {
  if (isChange(error)) return null;
  throw error;
}

/** What keeps one process's files from being read: it ends, or has too many. */
function isUnread(error: unknown): error is PagewalkError {
  return isChange(error) || error instanceof KernelFormatError ||
    error instanceof CapabilityError || error instanceof InconsistentListError;
}
