import type { ReadOptions } from "../memory/physical_memory.ts";
import { CapabilityError } from "./errors.ts";
import type { LinuxGuest } from "./linux_guest.ts";
import { readCString, readU64 } from "./reader.ts";
import { MAX_PATH_PARTS } from "./file_abi.ts";

/** What is asked of a kernel: a `LinuxGuest` answers it. */
export type MappedFileKernel = Pick<LinuxGuest, "type" | "read">;

const MAX_NAME_BYTES = 256;

/**
 * The path of the file whose contents an `address_space` is, within its file system; null if it has no name
 * any more.
 *
 * @throws {CapabilityError} if the kernel has no type data (BTF)
 */
export async function readMappedFile(
  linux: MappedFileKernel,
  mapping: bigint,
  options: ReadOptions = {},
): Promise<string | null> {
  async function offset(struct: string, member: string): Promise<bigint> {
    const layout = await linux.type(struct);
    const found = layout?.members.find(({ name }) => name === member);
    if (found !== undefined) return BigInt(found.offset);
    throw new CapabilityError("types", `This kernel's types have no ${member} in struct ${struct}`);
  }
  const read = (address: bigint) => readU64(linux, BigInt.asUintN(64, address), options);
  const inode = await read(mapping + await offset("address_space", "host"));
  // A list without a head's pointer back: its first entry lies in the middle of a dentry.
  const link = inode === 0n ? 0n : await read(inode + await offset("inode", "i_dentry"));
  if (link === 0n) return null;
  const [name, parent] = [await offset("dentry", "d_name"), await offset("dentry", "d_parent")];
  const text = name + await offset("qstr", "name");
  const parts: string[] = [];
  for (let dentry = link - await offset("dentry", "d_u"); parts.length < MAX_PATH_PARTS;) {
    const above = await read(dentry + parent);
    if (above === dentry) return `/${parts.reverse().join("/")}`;
    parts.push(await readCString(linux, await read(dentry + text), MAX_NAME_BYTES, options) ?? "…");
    dentry = above;
  }
  return null;
}
