import { KernelFormatError } from "./errors.ts";
import { type Reader, readU32, readU64 } from "./reader.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";
import { MAX_PATH_PARTS } from "./file_abi.ts";

/** What naming files takes besides their addresses. */
export interface FilePathsOptions {
  /** The address of `anon_inodefs_dentry_operations`, which only anonymous inodes have. */
  readonly anonInodeOperations: bigint | null;
}

/** A name in the kernel's cache of names. */
interface Dentry {
  readonly parent: bigint;
  readonly name: string;
  readonly operations: bigint;
  readonly isUnlinked: boolean;
}

/** What is opened: a name on a mount. */
interface Place {
  readonly dentry: bigint;
  readonly mount: bigint;
}

/** Where a mount is mounted, and the root of the mount that it is mounted on. */
interface MountedOn extends Place {
  readonly mountRoot: bigint;
}

// include/linux/fs.h: a file behind another one has both since 6.5. The first was bit 25, and is bit 24 in
// newer kernels.
const FMODE_BACKING = 1 << 24 | 1 << 25;
const FMODE_NOACCOUNT = 1 << 29;
const MAX_NAME_BYTES = 255;

/**
 * Names open files as `/proc/PID/maps` does (fs/d_path.c), seen from the first root directory. What many
 * files have in common, such as their folders, is read once.
 */
export class FilePaths {
  readonly #reader: Reader;
  readonly #options: FilePathsOptions;
  readonly #offsets: StructOffsets;
  readonly #dentries: StructReader<"d_parent" | "d_name" | "d_hash" | "d_op">;
  readonly #paths = new Map<bigint, Promise<string>>();
  readonly #known = new Map<bigint, Promise<Dentry>>();
  readonly #mountRoots = new Map<bigint, Promise<bigint>>();
  readonly #mountedOns = new Map<bigint, Promise<MountedOn | null>>();

  /**
   * Prepares the reads; nothing is read yet.
   *
   * @throws {KernelFormatError} if an offset is missing
   */
  constructor(reader: Reader, offsets: StructOffsets, options: FilePathsOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#offsets = offsets;
    const members = { d_parent: 8, d_name: 16, d_hash: 16, d_op: 8 } as const;
    this.#dentries = new StructReader("dentry", members, offsets);
  }

  /** The path of the `struct file` at an address. */
  pathOf(file: bigint): Promise<string> {
    return remember(this.#paths, file, () => this.#readPath(file));
  }

  async #readPath(file: bigint): Promise<string> {
    const { dentry, mount } = await this.#openedAs(file);
    const [mountRoot, last] = await Promise.all([this.#mountRoot(mount), this.#dentry(dentry)]);
    // A file without a directory: memory, or an inode that stands for something else.
    if (last.parent === dentry && dentry !== mountRoot) {
      const { anonInodeOperations } = this.#options;
      return last.operations !== 0n && last.operations === anonInodeOperations
        ? `anon_inode:${last.name}`
        : `/${last.name} (deleted)`;
    }
    const path = await this.#absolute(dentry, mount, mountRoot);
    return last.isUnlinked ? `${path} (deleted)` : path;
  }

  /**
   * Where a file was opened. A file of an overlay, as every container has one, is mapped as the file
   * behind it: then what was opened follows the `struct file` (`backing_file.user_path`, since 6.7). For
   * two releases before it was the other way round; the one behind lies on a mount of the overlay's own.
   */
  async #openedAs(file: bigint): Promise<Place> {
    const own = this.#place(file + this.#offset("file.f_path"));
    const [size, modeAt] = [this.#offsets.get("file.sizeof"), this.#offsets.get("file.f_mode")];
    if (size === undefined || modeAt === undefined) return await own;
    const mode = await readU32(this.#reader, file + BigInt(modeAt));
    if (!(mode & FMODE_NOACCOUNT) || !(mode & FMODE_BACKING)) return await own;
    const other = await this.#place(file + BigInt((size + 7) & ~7));
    // The other of the two bits has another meaning, and then something else lies there.
    if (other.mount >> 63n === 0n || other.dentry >> 63n === 0n) return await own;
    const isPrivate = await this.#mountedOn(other.mount) === null;
    return isPrivate && await this.#mountedOn((await own).mount) !== null ? await own : other;
  }

  async #place(path: bigint): Promise<Place> {
    const [mount, dentry] = await Promise.all([
      readU64(this.#reader, path + this.#offset("path.mnt")),
      readU64(this.#reader, path + this.#offset("path.dentry")),
    ]);
    return { mount, dentry };
  }

  async #absolute(dentry: bigint, mount: bigint, mountRoot: bigint): Promise<string> {
    const parts: string[] = [];
    let at = { dentry, mount, mountRoot };
    for (let steps = 0; steps < MAX_PATH_PARTS; steps++) {
      if (at.dentry === at.mountRoot) {
        const above = await this.#mountedOn(at.mount);
        if (!above) return `/${parts.reverse().join("/")}`;
        at = above;
        continue;
      }
      const { name, parent } = await this.#dentry(at.dentry);
      if (parent === at.dentry) return `/${parts.reverse().join("/")}`;
      parts.push(name);
      at = { ...at, dentry: parent };
    }
    throw new KernelFormatError("path of a file", "it does not end", dentry);
  }

  /** Where a mount is mounted; null for the first of all, and where the kernel does not tell. */
  #mountedOn(vfsmount: bigint): Promise<MountedOn | null> {
    return remember(this.#mountedOns, vfsmount, () => this.#readMountedOn(vfsmount));
  }

  async #readMountedOn(vfsmount: bigint): Promise<MountedOn | null> {
    const inner = this.#offsets.get("mount.mnt");
    if (inner === undefined) return null;
    const mount = vfsmount - BigInt(inner);
    const [parent, dentry] = await Promise.all([
      readU64(this.#reader, mount + this.#offset("mount.mnt_parent")),
      readU64(this.#reader, mount + this.#offset("mount.mnt_mountpoint")),
    ]);
    if (parent === mount) return null;
    const above = parent + BigInt(inner);
    return { dentry, mount: above, mountRoot: await this.#mountRoot(above) };
  }

  #mountRoot(vfsmount: bigint): Promise<bigint> {
    return remember(
      this.#mountRoots,
      vfsmount,
      () => readU64(this.#reader, vfsmount + this.#offset("vfsmount.mnt_root")),
    );
  }

  #dentry(address: bigint): Promise<Dentry> {
    return remember(this.#known, address, () => this.#readDentry(address));
  }

  async #readDentry(address: bigint): Promise<Dentry> {
    const view = await this.#dentries.read(this.#reader, address);
    const name = view.bytes("d_name");
    const numbers = new DataView(name.buffer, name.byteOffset, name.byteLength);
    const length = numbers.getUint32(Number(this.#offset("qstr.len")), true);
    const text = numbers.getBigUint64(Number(this.#offset("qstr.name")), true);
    if (length > MAX_NAME_BYTES) {
      throw new KernelFormatError("name of a file", `it has ${length} bytes`, address);
    }
    const hash = view.bytes("d_hash");
    const pprev = Number(this.#offset("hlist_bl_node.pprev"));
    return {
      parent: view.u64("d_parent"),
      name: decoder.decode(await this.#reader.read(text, length)),
      operations: view.u64("d_op"),
      isUnlinked: hash.subarray(pprev, pprev + 8).every((byte) => byte === 0),
    };
  }

  #offset(member: string): bigint {
    const offset = this.#offsets.get(member);
    if (offset === undefined) {
      throw new KernelFormatError("path of a file", `where ${member} lies is not known`);
    }
    return BigInt(offset);
  }
}

const decoder = new TextDecoder();

function remember<T>(
  known: Map<bigint, Promise<T>>,
  address: bigint,
  read: () => Promise<T>,
): Promise<T> {
  let value = known.get(address);
  if (!value) known.set(address, value = read());
  return value;
}
