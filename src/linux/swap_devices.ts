import { isChange } from "./changed.ts";
import { CapabilityError, KernelFormatError } from "./errors.ts";
import { namedStructs } from "./btf/live_structs.ts";
import { FilePaths } from "./file_paths.ts";
import type { Kernel } from "./kernel.ts";
import { readU64 } from "./reader.ts";
import { structOffsets } from "./struct_offsets.ts";

const STRUCT = "swap_info_struct";

/**
 * Names the file or the device that a type of swap entries is kept in, as `/proc/swaps` does; null if there
 * is none of that type, or the kernel does not tell.
 *
 * @param type below MAX_SWAPFILES
 */
export async function swapDevice(kernel: Kernel, type: number): Promise<string | null> {
  try {
    const devices = await kernel.address("swap_info");
    const structs = await namedStructs(kernel.types);
    if (devices === null || structs === null) return null;
    const offset = (await structOffsets([structs], STRUCT, ["swap_file"]))
      ?.get(`${STRUCT}.swap_file`);
    const device = await readU64(kernel.live, devices + BigInt(type * 8));
    if (offset === undefined || device === 0n) return null;
    const file = await readU64(kernel.live, device + BigInt(offset));
    if (file === 0n) return null;
    const paths = new FilePaths(kernel.live, await kernel.offsets("vmas"), {
      anonInodeOperations: await kernel.address("anon_inodefs_dentry_operations"),
    });
    return await paths.pathOf(file);
  } catch (error) {
    const isUnknown = error instanceof CapabilityError || error instanceof KernelFormatError;
    // swapoff may run at this moment.
    if (isUnknown || isChange(error)) return null;
    throw error;
  }
}
