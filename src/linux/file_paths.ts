import type { ReadOptions } from "../memory/physical_memory.ts";
import { KernelFormatError } from "./errors.ts";
import { type Reader, readU64 } from "./reader.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";

/** What naming files takes besides their addresses. */
export interface FilePathsOptions {
  /** The address of `anon_inodefs_dentry_operations`, by which anonymous inodes are told. */
  readonly anonInodeOperations: bigint | null;
}

/** A name in the kernel's cache of names. */
interface Dentry {
  readonly parent: bigint;
  readonly name: string;
  readonly operations: bigint;
  readonly isUnlinked: boolean;
}

const MAX_NAME_BYTES = 255;
/** PATH_MAX is 4096: no path has more parts. */
const MAX_PARTS = 2048;

/** Names open files as `/proc/PID/maps` does (fs/d_path.c), seen from the first root directory. */
export class FilePaths {
  readonly #reader: Reader;
  readonly #options: FilePathsOptions;
  readonly #offsets: StructOffsets;
  readonly #dentries: StructReader<"d_parent" | "d_name" | "d_hash" | "d_op">;
  readonly #known = new Map<bigint, Dentry>();

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
  async pathOf(file: bigint, options: ReadOptions = {}): Promise<string> {
    const path = file + this.#offset("file.f_path");
    const mount = await readU64(this.#reader, path + this.#offset("path.mnt"), options);
    const dentry = await readU64(this.#reader, path + this.#offset("path.dentry"), options);
    const mountRoot = await this.#mountRoot(mount, options);
    const last = await this.#dentry(dentry, options);
    // A file without a directory: memory, or an inode that stands for something else.
    if (last.parent === dentry && dentry !== mountRoot) {
      const { anonInodeOperations } = this.#options;
      return last.operations !== 0n && last.operations === anonInodeOperations
        ? `anon_inode:${last.name}`
        : `/${last.name} (deleted)`;
    }
    const path_ = await this.#absolute(dentry, mount, mountRoot, options);
    return last.isUnlinked ? `${path_} (deleted)` : path_;
  }

  async #absolute(
    dentry: bigint,
    mount: bigint,
    mountRoot: bigint,
    options: ReadOptions,
  ): Promise<string> {
    const parts: string[] = [];
    let at = { dentry, mount, mountRoot };
    for (let steps = 0; steps < MAX_PARTS; steps++) {
      if (at.dentry === at.mountRoot) {
        const above = await this.#mountedOn(at.mount, options);
        if (!above) return `/${parts.reverse().join("/")}`;
        at = above;
        continue;
      }
      const { name, parent } = await this.#dentry(at.dentry, options);
      if (parent === at.dentry) return `/${parts.reverse().join("/")}`;
      parts.push(name);
      at = { ...at, dentry: parent };
    }
    throw new KernelFormatError("path of a file", "it has no end", dentry);
  }

  /** Where a mount is mounted; null for the first of all, and where the kernel does not tell. */
  async #mountedOn(
    vfsmount: bigint,
    options: ReadOptions,
  ): Promise<{ dentry: bigint; mount: bigint; mountRoot: bigint } | null> {
    const inner = this.#offsets.get("mount.mnt");
    if (inner === undefined) return null;
    const mount = vfsmount - BigInt(inner);
    const parent = await readU64(
      this.#reader,
      mount + this.#offset("mount.mnt_parent"),
      options,
    );
    if (parent === mount) return null;
    const dentry = await readU64(
      this.#reader,
      mount + this.#offset("mount.mnt_mountpoint"),
      options,
    );
    const above = parent + BigInt(inner);
    return { dentry, mount: above, mountRoot: await this.#mountRoot(above, options) };
  }

  #mountRoot(vfsmount: bigint, options: ReadOptions): Promise<bigint> {
    return readU64(this.#reader, vfsmount + this.#offset("vfsmount.mnt_root"), options);
  }

  async #dentry(address: bigint, options: ReadOptions): Promise<Dentry> {
    const known = this.#known.get(address);
    if (known) return known;
    const view = await this.#dentries.read(this.#reader, address, options);
    const name = view.bytes("d_name");
    const numbers = new DataView(name.buffer, name.byteOffset, name.byteLength);
    const length = numbers.getUint32(Number(this.#offset("qstr.len")), true);
    const text = numbers.getBigUint64(Number(this.#offset("qstr.name")), true);
    if (length > MAX_NAME_BYTES) {
      throw new KernelFormatError("name of a file", `it has ${length} bytes`, address);
    }
    const hash = view.bytes("d_hash");
    const pprev = Number(this.#offset("hlist_bl_node.pprev"));
    const dentry = {
      parent: view.u64("d_parent"),
      name: decoder.decode(await this.#reader.read(text, length, options)),
      operations: view.u64("d_op"),
      isUnlinked: hash.subarray(pprev, pprev + 8).every((byte) => byte === 0),
    };
    this.#known.set(address, dentry);
    return dentry;
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
