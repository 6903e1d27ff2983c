import type { ReadOptions } from "../memory/physical_memory.ts";
import type { BtfBlob } from "./btf/btf_source.ts";
import { CapabilityError } from "./errors.ts";
import { readCString, type Reader, readU64 } from "./reader.ts";
import { structOffsets } from "./struct_offsets.ts";

/** What is known of the kernel. */
export interface MappedFileKernel {
  /** Reads memory as it is now. */
  readonly live: Reader;
  /** The kernel's own types; null if they are not known. */
  types(): Promise<BtfBlob | null>;
}

const MAX_NAME_BYTES = 256;
/** PATH_MAX is 4096: no path has more parts. */
const MAX_PARTS = 2048;

/**
 * The path of the file whose contents an `address_space` is, within its file system; null if it has no name
 * any more.
 *
 * @throws {CapabilityError} if the kernel has no type data (BTF)
 */
export async function readMappedFile(
  kernel: MappedFileKernel,
  mapping: bigint,
  options: ReadOptions = {},
): Promise<string | null> {
  const { live } = kernel;
  const blob = await kernel.types();
  async function offset(struct: string, member: string): Promise<bigint> {
    const found = blob && await structOffsets([blob], struct, [member]);
    const at = found?.get(`${struct}.${member}`);
    if (at !== undefined) return BigInt(at);
    throw new CapabilityError("types", `The kernel's struct ${struct} is not known`);
  }
  const read = (address: bigint) => readU64(live, BigInt.asUintN(64, address), options);
  const inode = await read(mapping + await offset("address_space", "host"));
  // A list without a head's pointer back: its first entry lies in the middle of a dentry.
  const link = inode === 0n ? 0n : await read(inode + await offset("inode", "i_dentry"));
  if (link === 0n) return null;
  const [name, parent] = [await offset("dentry", "d_name"), await offset("dentry", "d_parent")];
  const text = name + await offset("qstr", "name");
  const parts: string[] = [];
  for (let dentry = link - await offset("dentry", "d_u"); parts.length < MAX_PARTS;) {
    const above = await read(dentry + parent);
    if (above === dentry) return `/${parts.reverse().join("/")}`;
    parts.push(await readCString(live, await read(dentry + text), MAX_NAME_BYTES, options) ?? "…");
    dentry = above;
  }
  return null;
}
