import { CapabilityError } from "./errors.ts";
import { type Reader, viewOf } from "./reader.ts";
import type { StructOffsets } from "./struct_reader.ts";

/**
 * The layouts of kernels before the maple tree (6.1), as far as they have not changed since 4.0:
 * include/linux/mm_types.h, fs.h, dcache.h, path.h, fs/mount.h of 5.10.
 */
const BEFORE_MAPLE_TREE: Readonly<Record<string, number>> = {
  "mm_struct.mmap": 0,
  "vm_area_struct.vm_start": 0,
  "vm_area_struct.vm_end": 8,
  "vm_area_struct.vm_next": 16,
  "vm_area_struct.vm_mm": 64,
  "vm_area_struct.vm_flags": 80,
  "vm_area_struct.vm_ops": 144,
  "vm_area_struct.vm_pgoff": 152,
  "vm_area_struct.vm_file": 160,
  "vm_area_struct.vm_private_data": 168,
  "file.f_path": 16,
  "path.mnt": 0,
  "path.dentry": 8,
  "dentry.d_hash": 8,
  "dentry.d_parent": 24,
  "dentry.d_name": 32,
  "dentry.d_op": 96,
  "qstr.len": 4,
  "qstr.name": 8,
  "hlist_bl_node.pprev": 8,
  "vfsmount.mnt_root": 0,
  "mount.mnt_parent": 16,
  "mount.mnt_mountpoint": 24,
  "mount.mnt": 32,
};

const MM_BYTES = 1024;
const AREA_BYTES = 176;

/**
 * Finds where memory areas keep what, in a kernel without type data: the old layouts, if the first area
 * of a process bears them out.
 *
 * @param mm the address of some process's `mm_struct`
 * @throws {CapabilityError} if it does not
 */
export async function areaOffsets(reader: Reader, mm: bigint): Promise<StructOffsets> {
  const memory = viewOf(await reader.read(mm, MM_BYTES));
  const first = memory.getBigUint64(BEFORE_MAPLE_TREE["mm_struct.mmap"]!, true);
  const area = first >> 63n ? viewOf(await reader.read(first, AREA_BYTES)) : null;
  const isArea = area &&
    area.getBigUint64(BEFORE_MAPLE_TREE["vm_area_struct.vm_mm"]!, true) === mm &&
    area.getBigUint64(0, true) < area.getBigUint64(8, true);
  const stack = isArea ? stackAt(memory) : null;
  if (stack === null) {
    throw new CapabilityError(
      "vmas",
      "This kernel has no type data (CONFIG_DEBUG_INFO_BTF), and its memory areas are not laid out " +
        "as before 6.1",
    );
  }
  return new Map([
    ...Object.entries(BEFORE_MAPLE_TREE),
    ["mm_struct.start_brk", stack - 16],
    ["mm_struct.brk", stack - 8],
    ["mm_struct.start_stack", stack],
  ]);
}

/**
 * Where `start_stack` is: after `start_brk` and `brk`, before the arguments and the environment, which
 * follow each other on the stack (mm_types.h: start_brk, brk, start_stack, arg_start, arg_end,
 * env_start, env_end).
 */
function stackAt(memory: DataView): number | null {
  for (let at = 16; at + 40 <= memory.byteLength; at += 8) {
    const [startBrk, brk, stack, argStart, argEnd, envStart, envEnd] = [
      -16,
      -8,
      0,
      8,
      16,
      24,
      32,
    ].map((distance) => memory.getBigUint64(at + distance, true)) as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const isStack = stack > 0x1000n && stack < argStart && argStart < argEnd &&
      argEnd === envStart && envStart <= envEnd && envEnd >> 56n === 0n &&
      startBrk <= brk && startBrk > 0n && brk < stack;
    if (isStack) return at;
  }
  return null;
}
